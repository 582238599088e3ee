"""How far a fit moves the weights of an address, relative to their size, and the words for it."""

from typing import Literal

MovementWord = Literal["frozen", "barely moves", "learns"]

BARELY = 2.0**-9
"""A smaller relative movement is lost where arithmetic is done in bf16, which has 8 bits of precision."""


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
