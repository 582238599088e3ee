"""One sample's numbers, as the stage writes and the report reads them: levels, operating points, what each costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from finetune_alf.documents import Estimate
from finetune_alf.experiments.comparison import SeedValues, resampled_scores, seeds_interval
from finetune_alf.experiments.freeze.cells import Cell, SweptSample
from finetune_alf.experiments.freeze.cost import LevelCost, cost_fit, pareto_front
from finetune_alf.experiments.freeze.document import (
    CostFit,
    LevelResult,
    OperatingPoint,
    OperatingPoints,
    SampleOfSweep,
    SampleTable,
    SearchResult,
    SeedsEstimate,
)
from finetune_alf.experiments.freeze.levels import NONE, Level
from finetune_alf.experiments.freeze.operating import margin, operating_point
from finetune_alf.experiments.freeze.search import LineSearch
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.metrics import constant_predictions
from finetune_alf.seeds import child_seed
from finetune_alf.stats.weighted import Floats
from finetune_alf.train.result import FitResult


@dataclass(frozen=True)
class Swept:
    """All that was fitted on one sample, and what its levels cost by formula, by name."""

    sample: SweptSample
    truth: Sequence[float]
    search: LineSearch
    fits: Sequence[tuple[Cell, FitResult]]
    costs: Mapping[str, LevelCost]

    def at(self, level: Level) -> dict[int, FitResult]:
        """Return the fits of a level that did not diverge, by seed."""
        return {cell.seed: fit for cell, fit in self.fits if cell.level == level and fit.score is not None}

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels, from the full model on."""
        return tuple(dict.fromkeys(cell.level for cell, _ in self.fits))


def sample_table(spec: FreezeSpec, swept: Swept) -> SampleTable:
    """Return all numbers of a sample."""
    by_metric = {metric: _values(spec, swept, metric) for metric in swept.sample.metrics}
    levels = {level.name: _level(spec, swept, level, by_metric) for level in swept.levels}
    return SampleTable(
        sample=SampleOfSweep(**asdict(swept.sample), n_texts=len(swept.truth)),
        search=_search(swept.search),
        levels=levels,
        operating={metric: _operating(spec, swept, metric, own) for metric, own in by_metric.items()},
        front=_front(levels, swept.sample.metrics[0]),
        cost_fit=_cost_fit(swept.costs, levels),
    )


def _values(spec: FreezeSpec, swept: Swept, metric: str) -> dict[Level, SeedValues]:
    return {
        level: _scores(spec, swept, metric, {fit_seed: fit.predictions for fit_seed, fit in swept.at(level).items()})
        for level in swept.levels
    }


def _scores(spec: FreezeSpec, swept: Swept, metric: str, predicted: Mapping[int, Sequence[float]]) -> dict[int, Floats]:
    """Return scores by seed, on the resamples that all levels of a sample share."""
    seed = child_seed(spec.seed, "texts", swept.sample.name)
    return resampled_scores(metric, swept.truth, predicted, spec.n_resamples, seed)


def _level(
    spec: FreezeSpec, swept: Swept, level: Level, by_metric: Mapping[str, Mapping[Level, SeedValues]]
) -> LevelResult:
    fits, cost = swept.at(level), swept.costs[level.name]
    return LevelResult(
        n_frozen=level.n_frozen,
        n_trained=level.n_trained,
        n_seeds=len(fits),
        n_diverged=sum(cell.level == level for cell, _ in swept.fits) - len(fits),
        scores={metric: _seeds_estimate(spec, own[level]) for metric, own in by_metric.items()},
        relative={metric: _relative(spec, own[level], own[_full(own)]) for metric, own in by_metric.items()},
        seconds=median(fit.seconds for fit in fits.values()) if fits else None,
        n_trainable_parameters=next((fit.n_trainable_parameters for fit in fits.values()), None),
        flops=cost.flops,
        calls=cost.calls,
        memory_bytes=cost.memory_bytes,
    )


def _operating(spec: FreezeSpec, swept: Swept, metric: str, values: Mapping[Level, SeedValues]) -> OperatingPoints:
    """Return the extreme points, the full model's gain, and the operating points over both floors."""
    full, floor = values[_full(values)], _scores(spec, swept, metric, {0: constant_predictions(metric, swept.truth)})[0]
    frozen = {level.n_trained: own for level, own in values.items() if level.n_frozen is not None}
    return OperatingPoints(
        majority=float(floor[0]),
        full=_seeds_estimate(spec, full),
        above_majority=_estimate(spec, {each: own - floor for each, own in full.items()}),
        none_trained=_seeds_estimate(spec, frozen.get(0, {})),
        raw=_point(spec, full, frozen, np.zeros_like(floor)),
        gain=_point(spec, full, frozen, floor),
    )


def _point(
    spec: FreezeSpec, full: SeedValues, frozen: Mapping[int, SeedValues], floor: Floats
) -> OperatingPoint | None:
    """Return what keeps the part asked for of the full model's score above a floor."""
    if not full:
        return None
    margins = {n: margin(own, full, keep=spec.keep, floor=floor, seed=_seed(spec)) for n, own in frozen.items()}
    return operating_point(margins, full=seeds_interval(full, _seed(spec)).mean, floor=float(floor[0]))


def _relative(spec: FreezeSpec, own: SeedValues, full: SeedValues) -> Estimate | None:
    return _estimate(spec, {each: own[each] - full[each] for each in own if each in full})


def _seeds_estimate(spec: FreezeSpec, values: SeedValues) -> SeedsEstimate | None:
    if not values:
        return None
    by_seed = tuple(float(own[0]) for own in values.values())
    return SeedsEstimate(**asdict(seeds_interval(values, _seed(spec))), by_seed=by_seed)


def _estimate(spec: FreezeSpec, values: SeedValues) -> Estimate | None:
    return Estimate(**asdict(seeds_interval(values, _seed(spec)))) if values else None


def _search(search: LineSearch) -> SearchResult:
    scores = {f"{rate:g}": own for rate, own in search.scores.items()}
    return SearchResult(rate=search.rate, is_at_edge=search.is_at_edge, scores=scores)


def _front(levels: Mapping[str, LevelResult], metric: str) -> tuple[str, ...]:
    scored = {name: (own.seconds, own.scores[metric]) for name, own in levels.items()}
    return pareto_front(
        {name: (seconds, own.mean) for name, (seconds, own) in scored.items() if seconds is not None and own}
    )


def _cost_fit(costs: Mapping[str, LevelCost], levels: Mapping[str, LevelResult]) -> CostFit | None:
    return cost_fit(costs, {name: own.seconds for name, own in levels.items() if own.seconds is not None})


def _full(values: Mapping[Level, SeedValues]) -> Level:
    return next(level for level in values if level.name == NONE)


def _seed(spec: FreezeSpec) -> int:
    return child_seed(spec.seed, "seeds")
