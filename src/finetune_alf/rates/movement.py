"""How far a fit moves the weights of an address, relative to their size, and the words for it."""

from dataclasses import dataclass
from typing import Literal

MovementWord = Literal["frozen", "barely moves", "learns"]

BARELY = 2.0**-9
"""A smaller relative movement is lost where arithmetic is done in bf16, which has 8 bits of precision."""


TYPICAL_SIZE = 0.04
"""The mean size of a weight where the encoder is not at hand; in the layers of all-MiniLM-L6 it is .042 to .049."""


def movement_word(rate: float, movement: float) -> MovementWord:
    """Return the word for an address: `frozen` at a rate of 0, `barely moves` below BARELY, else `learns`.

    `movement` is the measured one, or the largest one that is possible.
    """
    if rate == 0:
        return "frozen"
    return "barely moves" if movement < BARELY else "learns"


def largest_movement(rate: float, n_steps: int, mean_size: float) -> float:
    """Return about the largest relative movement that AdamW can make: a step moves a weight by the rate at most.

    `mean_size` is the mean of the weights' absolute values at the start.
    """
    return rate * n_steps / mean_size


@dataclass(frozen=True)
class Movement:
    """What a rate does at an address: the largest movement that is possible, and the measured one; None if unknown."""

    rate: float
    largest: float | None = None
    measured: float | None = None

    @property
    def word(self) -> MovementWord | None:
        """The word for it, by the measured movement where there is one; None where nothing is known of a rate."""
        known = self.largest if self.measured is None else self.measured
        if self.rate == 0:
            return "frozen"
        return None if known is None else movement_word(self.rate, known)

    def __str__(self) -> str:
        """Write it as in `barely moves (measured 1.2e-5)` or, where none is measured, `learns (at most .14)`."""
        if self.rate == 0:
            return "frozen"
        if self.measured is not None:
            return f"{self.word} (measured {_short(self.measured)})"
        if self.largest is not None:
            return f"{self.word} (at most {_short(self.largest)})"
        return "not known before it is measured"


def _short(movement: float) -> str:
    """Write a relative movement to two digits: .034, 4.2e-5; a large one as a whole number."""
    if movement >= 10:
        return f"{movement:,.0f}"
    if movement >= 0.001:
        return f"{movement:.2g}".replace("0.", ".", 1)
    mantissa, _, exponent = f"{movement:.1e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}" if movement else "0"
