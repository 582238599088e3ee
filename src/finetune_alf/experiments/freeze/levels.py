"""Levels: how many layers of an encoder are frozen, and the rates that follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from finetune_alf.errors import RatesError
from finetune_alf.experiments.freeze.spec import NO_HEAD, FrozenCount
from finetune_alf.rates import FrozenBelow, LayerRates, UniformRates

FULL_MODEL = "none"
"""The name of the level at which nothing is frozen."""


@dataclass(frozen=True)
class Level:
    """The embeddings and the first `n_frozen` of `n_layers` layers are frozen; nothing where `n_frozen` is None."""

    n_frozen: int | None
    n_layers: int

    @property
    def name(self) -> str:
        """`none`, or the number of frozen layers."""
        return FULL_MODEL if self.n_frozen is None else str(self.n_frozen)

    @property
    def n_trained(self) -> int:
        """The number of layers that are trained."""
        return self.n_layers - (self.n_frozen or 0)

    def rates(self, rate: float, head: float) -> LayerRates:
        """Return the rates of a fit: `rate` for the layers and embeddings that are trained."""
        if self.n_frozen is None:
            return UniformRates(rate=rate, head=head).at(self.n_layers)
        return FrozenBelow(n_frozen=self.n_frozen, rate=rate, head=head).at(self.n_layers)


def levels(
    n_frozen: Literal["half-up"] | Sequence[FrozenCount],
    n_layers: int,
    key: str = "n_frozen",
    *,
    trains_head: bool = True,
) -> tuple[Level, ...]:
    """Return the full model and the levels of `n_frozen`, from the least frozen up, each once.

    Raises RatesError, which names `n_frozen` by its `key`, when more layers are to be frozen than there are, and when
    all are where the head does not learn.
    """
    if n_frozen == "half-up":
        counts = set(range((n_layers + 1) // 2, n_layers + 1))
    else:
        counts = {n_layers if count == "all" else count for count in n_frozen if count != "none"}
    if counts and max(counts) > n_layers:
        raise RatesError(f"{key}: must be at most the encoder's {n_layers} layers, but got {max(counts)}. Lower it.")
    if n_layers in counts and not trains_head:
        raise RatesError(f"{key}: must leave one of the {n_layers} layers to learn, {NO_HEAD}. Lower it.")
    return tuple(Level(count, n_layers) for count in (None, *sorted(counts)))
