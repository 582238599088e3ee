"""Tied search spaces: a rate for each address, for each block of addresses, or a single rate (`blocks: all`)."""

import math
import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from finetune_alf.errors import RatesError
from finetune_alf.rates import HEAD, Address, LayerRates, addresses, repeated_in_keys, setting_text
from finetune_alf.spec import PositiveRate, Rate, Spec

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Block = Annotated[tuple[Annotated[str, Field(pattern=r"^(embeddings|layer\.(0|[1-9]\d*))$")], ...], Field(min_length=1)]


PARAM_PREFIX = "rates."
"""The name of a tied space's param is this prefix and an address."""


class _TiedSpace(Spec, ABC):
    """A rate for the embeddings and for each layer, or one per block of tied addresses. The head is not searched.

    With `blocks: all` embeddings and layers are one block.
    """

    blocks: tuple[Block, ...] | Literal["all"] | None = None
    """Addresses that share a rate, block by block; `all` is one rate for embeddings and layers."""

    @field_validator("blocks")
    @classmethod
    def _check_blocks_are_disjoint(
        cls, blocks: tuple[Block, ...] | Literal["all"] | None
    ) -> tuple[Block, ...] | Literal["all"] | None:
        named = [address for block in blocks or () for address in block] if blocks != "all" else []
        if twice := sorted({address for address in named if named.count(address) > 1}):
            raise ValueError(f"must name each address once, but got {', '.join(twice)} more than once")
        return blocks

    def param_addresses(self, n_layers: int) -> dict[str, tuple[Address, ...]]:
        """Return the addresses whose rate each param sets, from the embeddings up.

        The param of a block is named after its lowest address. Raises RatesError when the encoder lacks an address.
        """
        searched = addresses(n_layers)[:-1]
        blocks = (searched,) if self.blocks == "all" else self.blocks or ()
        block_of: dict[str, tuple[str, ...]] = {address: block for block in blocks for address in block}
        if unknown := [address for address in block_of if address not in searched]:
            raise RatesError(f"space.blocks: must name embeddings or layers 0 to {n_layers - 1}, but got {unknown[0]}.")
        tied: dict[tuple[str, ...], list[Address]] = {}
        for address in searched:
            tied.setdefault(block_of.get(address, (address,)), []).append(address)
        return {sys.intern(f"{PARAM_PREFIX}{block[0]}"): tuple(block) for block in tied.values()}

    def layer_rates(self, params: Mapping[str, float], n_layers: int, head: float) -> LayerRates:
        """Return the rates that these params set, with `head` at the head."""
        tied = self.param_addresses(n_layers).items()
        return LayerRates({HEAD: head, **{address: params[name] for name, block in tied for address in block}})

    def params_of(self, rates: LayerRates) -> dict[str, float] | None:
        """Return the params that set these rates, or None when the rates lie outside the space."""
        params = {}
        for name, tied in self.param_addresses(rates.n_layers).items():
            values = {rates[address] for address in tied}
            if len(values) > 1 or not self.contains(rates[tied[0]]):
                return None
            params[name] = rates[tied[0]]
        return params

    def grid_step_distance(self, a: LayerRates, b: LayerRates) -> float:
        """Return the mean distance of two sets of rates over the searched addresses, in grid steps (LogSpace: decades).

        Rates off the grid are interpolated by their logarithm. Raises RatesError for different depths.
        """
        if a.n_layers != b.n_layers:
            raise RatesError(f"rates: must be of one depth to compare, but got {a.n_layers} and {b.n_layers} layers.")
        searched = addresses(a.n_layers)[:-1]
        return sum(abs(self.position(a[address]) - self.position(b[address])) for address in searched) / len(searched)

    def value_at(self, param: str, unit: float) -> float:
        """Map a number in [0, 1) to a value of a param, uniformly over the space."""
        return self.rate_at(unit)

    def position_of(self, param: str, value: float) -> float:
        """Return the position of a param's value on the space's scale."""
        return self.position(value)

    @abstractmethod
    def rate_at(self, unit: float) -> float:
        """Map a number in [0, 1) to a rate, uniformly over the space."""

    @abstractmethod
    def position(self, rate: float) -> float:
        """Return the position of a rate on the space's scale, in grid steps or decades."""

    @abstractmethod
    def contains(self, rate: float) -> bool:
        """Return whether a trial may have this rate."""


class ChoicesSpace(_TiedSpace):
    """One of several rates, in rising order, for each address, as in the thesis; 0 freezes."""

    kind: Literal["choices"] = "choices"
    rates: Annotated[tuple[Rate, ...], Field(min_length=2)]
    """The rates to choose from; 0 freezes."""

    @field_validator("rates")
    @classmethod
    def _check_rates_rise(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(rates)) or repeated_in_keys(rates):
            raise ValueError(f"must rise from each rate to the next, but got {', '.join(map(setting_text, rates))}")
        return rates

    @property
    def lowest(self) -> float:
        """The lowest rate that a trial may have."""
        return self.rates[0]

    @property
    def highest(self) -> float:
        """The highest rate that a trial may have."""
        return self.rates[-1]

    @property
    def positive_grid(self) -> tuple[float, ...]:
        """The rates above 0."""
        return tuple(rate for rate in self.rates if rate > 0)

    def distributions(self, n_layers: int) -> dict[str, "BaseDistribution"]:
        """Return the Optuna distribution of each param."""
        from optuna.distributions import CategoricalDistribution

        return {name: CategoricalDistribution(self.rates) for name in self.param_addresses(n_layers)}

    def rate_at(self, unit: float) -> float:
        """Map a number in [0, 1) to a rate, uniformly over the space."""
        return self.rates[int(unit * len(self.rates))]

    @property
    def position_range(self) -> tuple[float, float]:
        """The ends of the scale of positions; each rate has one grid step of it."""
        return -0.5, len(self.rates) - 0.5

    def position(self, rate: float) -> float:
        """Return the index of a rate on the grid; 0 has its own index, or one below the lowest rate."""
        lowest = 0 if self.rates[0] > 0 else 1
        positive = self.rates[lowest:]
        if rate < positive[0]:
            return lowest - 1 + rate / positive[0]
        if rate >= positive[-1]:
            step = math.log10(positive[-1] / positive[-2]) if len(positive) > 1 else 1.0
            return len(self.rates) - 1 + math.log10(rate / positive[-1]) / step
        below = bisect_right(positive, rate) - 1
        step = math.log10(positive[below + 1] / positive[below])
        return lowest + below + math.log10(rate / positive[below]) / step

    def contains(self, rate: float) -> bool:
        """Return whether a trial may have this rate."""
        return rate in self.rates


class LogSpace(_TiedSpace):
    """Any rate from `low` to `high`, log-uniform; nothing is frozen."""

    kind: Literal["log"] = "log"
    low: PositiveRate
    high: PositiveRate

    @model_validator(mode="after")
    def _check_low_is_below_high(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, but got {setting_text(self.low)} and {setting_text(self.high)}")
        return self

    @property
    def lowest(self) -> float:
        """The lowest rate that a trial may have."""
        return self.low

    @property
    def highest(self) -> float:
        """The highest rate that a trial may have."""
        return self.high

    @property
    def positive_grid(self) -> tuple[float, ...]:
        """Rates half a decade apart, from `low` up."""
        n_steps = int(2 * math.log10(self.high / self.low) + 1e-9)
        return tuple(min(self.low * 10 ** (step / 2), self.high) for step in range(n_steps + 1))

    def distributions(self, n_layers: int) -> dict[str, "BaseDistribution"]:
        """Return the Optuna distribution of each param."""
        from optuna.distributions import FloatDistribution

        return {name: FloatDistribution(self.low, self.high, log=True) for name in self.param_addresses(n_layers)}

    def rate_at(self, unit: float) -> float:
        """Map a number in [0, 1) to a rate, uniformly over the logarithm."""
        return float(min(self.high, self.low * (self.high / self.low) ** unit))

    @property
    def position_range(self) -> tuple[float, float]:
        """The ends of the scale of positions."""
        return self.position(self.low), self.position(self.high)

    def position(self, rate: float) -> float:
        """Return the common logarithm of a rate; 0, which is frozen, counts as one decade below `low`."""
        return math.log10(max(rate, self.low / 10))

    def contains(self, rate: float) -> bool:
        """Return whether a trial may have this rate."""
        return self.low <= rate <= self.high


TiedSpace = Annotated[ChoicesSpace | LogSpace, Field(discriminator="kind")]
