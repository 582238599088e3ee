"""The arms: four searches with the same number of fits, each a space and the way in which its trials are chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.experiments.budget.spec import BudgetSpec
from finetune_alf.study.sampler import Observation, suggest
from finetune_alf.study.space import AnySpace, ChoicesSpace, DecayedSpace
from finetune_alf.study.spec import AnySampler, RandomSampler, TpeSampler

PER_LAYER, SINGLE_RATE, DECAYED, RANDOM = "per_layer", "single_rate", "decayed", "random"


@dataclass(frozen=True)
class Arm:
    """A search: its space, the number of its fits, and its sampler; without one, its grid is fitted round by round."""

    name: str
    space: AnySpace
    n_fits: int
    sampler: AnySampler | None

    def params(self, n_layers: int, observations: Sequence[Observation], seed: int, number: int) -> dict[str, float]:
        """Return the params of fit `number`, a pure function of the observations before it."""
        if self.sampler is not None:
            return suggest(self.sampler, self.space, n_layers, observations, seed, number)
        (name,) = self.space.param_addresses(n_layers)
        return {name: self._grid[number % len(self._grid)]}

    @property
    def lag(self) -> int:
        """Fit n depends on fits up to n - lag; where it depends on none, all fits can run at once."""
        return self.sampler.lag if isinstance(self.sampler, TpeSampler) else self.n_fits

    def round(self, number: int) -> int:
        """Return in which round fit `number` is: the rates of a grid have another fit seed in each."""
        return 0 if self.sampler is not None else number // len(self._grid)

    @property
    def _grid(self) -> tuple[float, ...]:
        assert isinstance(self.space, ChoicesSpace)  # noqa: S101 - `arms` gives no other
        return self.space.rates


def arms(spec: BudgetSpec) -> tuple[Arm, ...]:
    """Return the four arms of a budget, whose rates are on the same scale.

    A grid of single rates is fitted in whole rounds, so that its last fits may be left out.
    """
    grid, scale = spec.space.positive_grid, spec.space.model_copy(update={"blocks": None})
    top = ChoicesSpace(rates=grid) if isinstance(scale, ChoicesSpace) else scale
    return (
        Arm(PER_LAYER, spec.space, spec.n_fits, spec.sampler),
        Arm(SINGLE_RATE, ChoicesSpace(rates=grid, blocks="all"), spec.n_fits // len(grid) * len(grid), None),
        Arm(DECAYED, DecayedSpace(rate=top, decays=spec.decays), spec.n_fits, spec.sampler),
        Arm(RANDOM, spec.space, spec.n_fits, RandomSampler()),
    )
