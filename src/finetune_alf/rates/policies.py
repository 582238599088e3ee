"""Policies: rules that give LayerRates at any depth; the specs of `rates` in params.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field

from finetune_alf.errors import RatesError
from finetune_alf.rates.address import EMBEDDINGS, HEAD
from finetune_alf.rates.layer_rates import LayerRates
from finetune_alf.spec import PositiveRate, Rate, Spec


class UniformRates(Spec):
    """One rate for embeddings and layers; the head has its own rate, or the same."""

    kind: Literal["uniform"] = "uniform"
    rate: Rate
    """The rate of embeddings and layers."""
    head: Rate | None = None

    def at(self, n_layers: int) -> LayerRates:
        """Return the rates at this depth."""
        return LayerRates.of(self.rate, [self.rate] * n_layers, self.rate if self.head is None else self.head)

    @property
    def highest(self) -> float:
        """The highest rate of embeddings and layers."""
        return self.rate


class DecayedRates(Spec):
    """Layer-wise learning rate decay: the top layer has `rate`, each layer below `decay` times the rate above it.

    Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", section 5.3.3: decay .85-1 at 2e-5 and 2.5e-5.
    """

    kind: Literal["decayed"] = "decayed"
    rate: Rate
    decay: Annotated[float, Field(gt=0, le=1)] = 0.95
    head: Rate | None = None

    def at(self, n_layers: int) -> LayerRates:
        """Return the rates at this depth; the embeddings are one step of decay below layer 0."""
        down = [self.rate * self.decay**steps for steps in range(n_layers, -1, -1)]
        return LayerRates.of(down[0], down[1:], self.rate if self.head is None else self.head)

    @property
    def highest(self) -> float:
        """The highest rate of embeddings and layers."""
        return self.rate


class SpreadRates(Spec):
    """A geometric sequence from `low` at the embeddings to `high` at the top layer."""

    kind: Literal["spread"] = "spread"
    low: PositiveRate
    high: PositiveRate
    head: Rate | None = None

    def at(self, n_layers: int) -> LayerRates:
        """Return the rates at this depth."""
        ratio = (self.high / self.low) ** (1 / max(n_layers, 1))
        up = [self.low * ratio**steps for steps in range(n_layers)]
        return LayerRates.of(self.low, [*up[1:], self.high], self.high if self.head is None else self.head)

    @property
    def highest(self) -> float:
        """The highest rate of embeddings and layers."""
        return max(self.low, self.high)


class FrozenBelow(Spec):
    """Embeddings and the lowest `n_frozen` layers are frozen, the others have one rate.

    With `all` only the head is trained: feature extraction.
    """

    kind: Literal["frozen_below"] = "frozen_below"
    n_frozen: Annotated[int, Field(ge=0)] | Literal["all"]
    rate: Rate
    """The rate of the layers that are not frozen."""
    head: Rate | None = None

    def at(self, n_layers: int) -> LayerRates:
        """Return the rates at this depth; raises RatesError when `n_frozen` is more than the number of layers."""
        n_frozen = n_layers if self.n_frozen == "all" else self.n_frozen
        if n_frozen > n_layers:
            raise RatesError(f"rates.n_frozen: must be at most the encoder's {n_layers} layers, but got {n_frozen}.")
        layers = [0.0] * n_frozen + [self.rate] * (n_layers - n_frozen)
        return LayerRates.of(0.0, layers, self.rate if self.head is None else self.head)

    @property
    def highest(self) -> float:
        """The highest rate of embeddings and layers."""
        return 0.0 if self.n_frozen == "all" else self.rate


class ListedRates(Spec):
    """An explicit rate for each address, as studies and schedules store them."""

    kind: Literal["listed"] = "listed"
    embeddings: Rate
    """The rate of the embeddings."""
    layers: Annotated[tuple[Rate, ...], Field(min_length=1)]
    """The rate of each layer, from the lowest up."""
    head: Rate
    """The rate of the head."""

    @classmethod
    def from_rates(cls, rates: LayerRates) -> Self:
        """Build from LayerRates."""
        return cls(embeddings=rates[EMBEDDINGS], layers=rates.layers, head=rates[HEAD])

    def at(self, n_layers: int) -> LayerRates:
        """Return the rates; raises RatesError when the encoder has another number of layers."""
        if n_layers != len(self.layers):
            raise RatesError(
                f"rates.layers: must hold {n_layers} rates, one for each layer of the encoder, but got "
                f"{len(self.layers)}. For rates at another depth, use LayerRates.stretch({n_layers})."
            )
        return LayerRates.of(self.embeddings, self.layers, self.head)

    @property
    def highest(self) -> float:
        """The highest rate of embeddings and layers."""
        return max(self.embeddings, *self.layers)


RatesPolicy = Annotated[
    UniformRates | DecayedRates | SpreadRates | FrozenBelow | ListedRates, Field(discriminator="kind")
]
