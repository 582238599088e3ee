"""One sample's numbers: levels, operating points, and what each level costs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import numpy as np

from finetune_alf.documents import Estimate
from finetune_alf.experiments.comparison import SeedValues, resampled_scores, seeds_interval
from finetune_alf.experiments.freeze.cells import Cell
from finetune_alf.experiments.freeze.cost import LevelCost, calibrate, pareto_front
from finetune_alf.experiments.freeze.document import (
    LevelResult,
    OperatingPoint,
    OperatingPoints,
    SampleTable,
    SearchResult,
    SeedsEstimate,
    SweepSample,
)
from finetune_alf.experiments.freeze.levels import FULL_MODEL, Level
from finetune_alf.experiments.freeze.line_search import LineSearch
from finetune_alf.experiments.freeze.operating import margin, operating_point
from finetune_alf.experiments.freeze.spec import FreezeSpec
from finetune_alf.metrics import constant_predictions, sample_metric
from finetune_alf.seeds import child_seed
from finetune_alf.stats.weighted import Floats
from finetune_alf.train.result import FitResult

Scores = Mapping[Level, SeedValues]
"""The scores of each level by one metric."""


@dataclass(frozen=True)
class SampleFits:
    """The fits of a sweep on one sample, its labels and number of classes, and the cost of its levels, by name."""

    sample: SweepSample
    labels: Sequence[float]
    n_classes: int
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


def sample_table(spec: FreezeSpec, fits: SampleFits) -> SampleTable:
    """Return all numbers of a sample."""
    scores = {metric: _scores(spec, fits, metric) for metric in fits.sample.metrics}
    levels = {level.name: _level(spec, fits, level, scores) for level in fits.levels}
    seconds = {name: level.seconds for name, level in levels.items() if level.seconds is not None}
    return SampleTable(
        sample=fits.sample,
        search=_search(fits.search),
        levels=levels,
        operating_points={metric: _operating_points(spec, fits, metric, scores[metric]) for metric in scores},
        pareto_front=_pareto_front(levels, seconds, fits.sample.metrics[0]),
        calibration=calibrate(fits.costs, seconds),
    )


def _scores(spec: FreezeSpec, fits: SampleFits, metric: str) -> Scores:
    return {
        level: _resampled(spec, fits, metric, {seed: fit.predictions for seed, fit in fits.at(level).items()})
        for level in fits.levels
    }


def _resampled(
    spec: FreezeSpec, fits: SampleFits, metric: str, predictions: Mapping[int, Sequence[float]]
) -> dict[int, Floats]:
    """Return scores by fit seed, on the resamples that all levels of a sample share."""
    seed = child_seed(spec.seed, "texts", fits.sample.name)
    return resampled_scores(sample_metric(metric, fits.n_classes), fits.labels, predictions, spec.n_resamples, seed)


def _level(spec: FreezeSpec, fits: SampleFits, level: Level, scores: Mapping[str, Scores]) -> LevelResult:
    converged, cost = fits.at(level), fits.costs[level.name]
    return LevelResult(
        n_frozen=level.n_frozen,
        n_trained=level.n_trained,
        n_seeds=len(converged),
        n_diverged=sum(cell.level == level for cell, _ in fits.fits) - len(converged),
        scores={metric: _seeds_estimate(spec, by_level[level]) for metric, by_level in scores.items()},
        differences={
            metric: _difference(spec, by_level[level], _full_model(by_level)) for metric, by_level in scores.items()
        },
        seconds=median(fit.seconds for fit in converged.values()) if converged else None,
        n_trainable_parameters=next((fit.n_trainable_parameters for fit in converged.values()), None),
        flops=cost.flops,
        layer_calls=cost.layer_calls,
        memory_bytes=cost.memory_bytes,
    )


def _operating_points(spec: FreezeSpec, fits: SampleFits, metric: str, scores: Scores) -> OperatingPoints:
    full = _full_model(scores)
    constant = constant_predictions(sample_metric(metric, fits.n_classes), fits.labels)
    majority = _resampled(spec, fits, metric, {0: constant})[0]
    frozen = {level.n_trained: by_seed for level, by_seed in scores.items() if level.n_frozen is not None}
    return OperatingPoints(
        majority_baseline=float(majority[0]),
        full_model=_seeds_estimate(spec, full),
        gain=_estimate(spec, {seed: values - majority for seed, values in full.items()}),
        head_only=_seeds_estimate(spec, frozen.get(0, {})),
        of_score=_operating_point(spec, full, frozen, np.zeros_like(majority)),
        of_gain=_operating_point(spec, full, frozen, majority),
    )


def _operating_point(
    spec: FreezeSpec, full: SeedValues, frozen: Mapping[int, SeedValues], floor: Floats
) -> OperatingPoint | None:
    if not full:
        return None
    seed = _bootstrap_seed(spec)
    margins = {
        n: margin(values, full, keep_frac=spec.keep_frac, floor=floor, seed=seed) for n, values in frozen.items()
    }
    return operating_point(margins, full=seeds_interval(full, seed).mean, floor=float(floor[0]))


def _difference(spec: FreezeSpec, values: SeedValues, full: SeedValues) -> Estimate | None:
    return _estimate(spec, {seed: values[seed] - full[seed] for seed in values if seed in full})


def _seeds_estimate(spec: FreezeSpec, values: SeedValues) -> SeedsEstimate | None:
    estimate = _estimate(spec, values)
    if estimate is None:
        return None
    return SeedsEstimate(**estimate.model_dump(), by_seed=tuple(float(scores[0]) for scores in values.values()))


def _estimate(spec: FreezeSpec, values: SeedValues) -> Estimate | None:
    return Estimate(**asdict(seeds_interval(values, _bootstrap_seed(spec)))) if values else None


def _search(search: LineSearch) -> SearchResult:
    scores = {f"{rate:g}": by_seed for rate, by_seed in search.scores.items()}
    return SearchResult(rate=search.rate, is_at_edge=search.is_at_edge, scores=scores)


def _pareto_front(levels: Mapping[str, LevelResult], seconds: Mapping[str, float], metric: str) -> tuple[str, ...]:
    scores = {name: level.scores[metric] for name, level in levels.items()}
    return pareto_front(
        {name: (seconds[name], score.mean) for name, score in scores.items() if name in seconds and score}
    )


def _full_model(scores: Scores) -> SeedValues:
    return next(values for level, values in scores.items() if level.name == FULL_MODEL)


def _bootstrap_seed(spec: FreezeSpec) -> int:
    return child_seed(spec.seed, "seeds")
