"""How much of an encoder stands still, and the rates that follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune_alf.errors import RatesError
from finetune_alf.experiments.freeze.spec import Frozen
from finetune_alf.rates import FrozenBelow, LayerRates, UniformRates

NONE = "none"


@dataclass(frozen=True)
class Level:
    """Nothing frozen, where `n_frozen` is None; else the embeddings and the first `n_frozen` of `n_layers` layers."""

    n_frozen: int | None
    n_layers: int

    @property
    def name(self) -> str:
        """`none`, or the number of frozen layers."""
        return NONE if self.n_frozen is None else str(self.n_frozen)

    @property
    def n_trained(self) -> int:
        """How many layers learn."""
        return self.n_layers - (self.n_frozen or 0)

    def rates(self, rate: float, head: float) -> LayerRates:
        """Return the rates of a fit: this one for what learns below the head."""
        if self.n_frozen is None:
            return UniformRates(rate=rate, head=head).at(self.n_layers)
        return FrozenBelow(n_frozen=self.n_frozen, rate=rate, head=head).at(self.n_layers)


def levels(asked: Literal["half-up"] | Sequence[Frozen], n_layers: int, where: str = "n_frozen") -> tuple[Level, ...]:
    """Return the full model and what is asked, from the least frozen up, each once.

    Raises RatesError, which calls what is asked `where`, when more layers are to be frozen than there are.
    """
    named = range((n_layers + 1) // 2, n_layers + 1) if asked == "half-up" else [_number(n, n_layers) for n in asked]
    numbers = sorted({number for number in named if number is not None})
    if numbers and numbers[-1] > n_layers:
        raise RatesError(f"{where}: must be at most the encoder's {n_layers} layers, but got {numbers[-1]}. Lower it.")
    return tuple(Level(number, n_layers) for number in (None, *numbers))


def _number(asked: Frozen, n_layers: int) -> int | None:
    if asked == "none":
        return None
    return n_layers if asked == "all" else asked
