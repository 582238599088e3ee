"""The search space of layer-wise decay: the top layer's rate, and one factor."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from finetune_alf.rates import EMBEDDINGS, HEAD, Address, DecayedRates, LayerRates, addresses
from finetune_alf.spec import Spec
from finetune_alf.study.tied_space import ChoicesSpace, LogSpace, TiedSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

TOP_RATE, DECAY = "rate", "decay"
"""The params of a trial."""


class DecayedSpace(Spec):
    """Layer-wise decay: a rate for the top layer, and a factor by which each address has less than the one above it.

    `rate` is the space of the top layer's rate, `decays` the factors in rising order. The head is not searched.
    """

    kind: Literal["decayed"] = "decayed"
    rate: TiedSpace
    decays: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=2)]

    @field_validator("rate")
    @classmethod
    def _check_top_rate(cls, rate: ChoicesSpace | LogSpace) -> ChoicesSpace | LogSpace:
        if rate.blocks is not None:
            raise ValueError("must have no blocks, since it is one rate")
        if isinstance(rate, ChoicesSpace) and rate.rates[0] == 0:
            raise ValueError("must have rates above 0 only, since the rates below follow from it, but got 0")
        return rate

    @field_validator("decays")
    @classmethod
    def _check_decays_rise(cls, decays: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(decays)):
            raise ValueError(f"must rise from each to the next, but got {', '.join(f'{decay:g}' for decay in decays)}")
        return decays

    @property
    def highest(self) -> float:
        """The highest rate that a trial may have."""
        return self.rate.highest

    @property
    def positive_grid(self) -> tuple[float, ...]:
        """The grid of the top rate."""
        return self.rate.positive_grid

    def param_addresses(self, n_layers: int) -> dict[str, tuple[Address, ...]]:
        """Return the addresses whose rate each of the two params changes: all but the head."""
        return dict.fromkeys((TOP_RATE, DECAY), addresses(n_layers)[:-1])

    def layer_rates(self, params: Mapping[str, float], n_layers: int, head: float) -> LayerRates:
        """Return the rates that these params set, with `head` at the head."""
        return DecayedRates(rate=params[TOP_RATE], decay=params[DECAY], head=head).at(n_layers)

    def params_of(self, rates: LayerRates) -> dict[str, float] | None:
        """Return the params that set these rates, or None when the rates lie outside the space."""
        top = rates.layers[-1] if rates.layers else rates[EMBEDDINGS]
        candidates = [{TOP_RATE: top, DECAY: decay} for decay in self.decays] if self.rate.contains(top) else []
        return next((own for own in candidates if self.layer_rates(own, rates.n_layers, rates[HEAD]) == rates), None)

    def grid_step_distance(self, a: LayerRates, b: LayerRates) -> float:
        """Return the mean distance of two sets of rates over the searched addresses, on the scale of the top rate.

        Raises RatesError for different depths.
        """
        return self.rate.grid_step_distance(a, b)

    def distributions(self, n_layers: int) -> dict[str, "BaseDistribution"]:
        """Return the Optuna distribution of each param."""
        from optuna.distributions import CategoricalDistribution

        (rate,) = self.rate.distributions(0).values()
        return {TOP_RATE: rate, DECAY: CategoricalDistribution(self.decays)}

    def value_at(self, param: str, unit: float) -> float:
        """Map a number in [0, 1) to a value of a param, uniformly over the space."""
        return self.decays[int(unit * len(self.decays))] if param == DECAY else self.rate.rate_at(unit)

    @property
    def position_range(self) -> tuple[float, float]:
        """The ends of the scale of positions, that of the top rate."""
        return self.rate.position_range

    def position_of(self, param: str, value: float) -> float:
        """Return the position of a param's value on that scale, over which the factors are spread evenly."""
        if param != DECAY:
            return self.rate.position(value)
        low, high = self.position_range
        return low + (high - low) * (self.decays.index(value) + 0.5) / len(self.decays)
