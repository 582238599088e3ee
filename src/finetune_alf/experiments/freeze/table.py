"""One sample's numbers: levels, operating points, and what each level costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from finetune_alf.comparison import ComparedDifference, difference, mean_score, seeds_scores
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
from finetune_alf.metric_names import Label
from finetune_alf.metrics import constant_predictions, majority_baseline, sample_metric
from finetune_alf.stats import Scores
from finetune_alf.train.result import FitResult

LevelScores = Mapping[Level, Scores]
"""The scores of each level with a fit that converged, by one metric."""


@dataclass(frozen=True)
class SampleFits:
    """The fits of a sweep on one sample, its labels and number of classes, and the cost of its levels, by name."""

    sample: SweepSample
    labels: Sequence[Label]
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


def sample_table(fits: SampleFits, keep_frac: float) -> SampleTable:
    """Return all numbers of a sample; verdicts are given over all samples, by `family.judged_tables`."""
    scores = {metric: _scores(fits, metric) for metric in fits.sample.metrics}
    levels = {level.name: _level(fits, level, scores) for level in fits.levels}
    seconds = {name: level.seconds for name, level in levels.items() if level.seconds is not None}
    return SampleTable(
        sample=fits.sample,
        search=_search(fits.search),
        levels=levels,
        operating_points={metric: _operating_points(fits, metric, scores[metric], keep_frac) for metric in scores},
        pareto_front=_pareto_front(levels, seconds, fits.sample.metrics[0]),
        calibration=calibrate(fits.costs, seconds),
    )


def _scores(fits: SampleFits, metric: str) -> LevelScores:
    predictions = {level: {seed: fit.predictions for seed, fit in fits.at(level).items()} for level in fits.levels}
    measure = sample_metric(metric, fits.n_classes)
    return {level: seeds_scores(measure, fits.labels, by_seed) for level, by_seed in predictions.items() if by_seed}


def _level(fits: SampleFits, level: Level, scores: Mapping[str, LevelScores]) -> LevelResult:
    converged, cost = fits.at(level), fits.costs[level.name]
    return LevelResult(
        n_frozen=level.n_frozen,
        n_trained=level.n_trained,
        n_seeds=len(converged),
        n_diverged=sum(cell.level == level for cell, _ in fits.fits) - len(converged),
        scores={metric: _seeds_estimate(by_level.get(level)) for metric, by_level in scores.items()},
        differences={
            metric: _difference(by_level.get(level), _full_model(by_level)) for metric, by_level in scores.items()
        },
        seconds=median(fit.seconds for fit in converged.values()) if converged else None,
        n_trainable_parameters=next((fit.n_trainable_parameters for fit in converged.values()), None),
        flops=cost.flops,
        layer_calls=cost.layer_calls,
        memory_bytes=cost.memory_bytes,
    )


def _operating_points(fits: SampleFits, metric: str, scores: LevelScores, keep_frac: float) -> OperatingPoints:
    full, frozen = _full_model(scores), {level: own for level, own in scores.items() if level.n_frozen is not None}
    n_trained = [level.n_trained for level in fits.levels if level.n_frozen is not None]
    by_number = {n: next((own for level, own in frozen.items() if level.n_trained == n), None) for n in n_trained}
    measure, majority = sample_metric(metric, fits.n_classes), None
    if full is not None:
        constant = constant_predictions(measure, fits.labels)
        majority = seeds_scores(measure, fits.labels, dict.fromkeys(full.seeds, constant))
    return OperatingPoints(
        majority_baseline=majority_baseline(measure, fits.labels),
        full_model=_seeds_estimate(full),
        gain=_difference(full, majority),
        head_only=_seeds_estimate(by_number.get(0)),
        of_score=_operating_point(full, by_number, None, keep_frac),
        of_gain=_operating_point(full, by_number, majority, keep_frac),
    )


def _operating_point(
    full: Scores | None, frozen: Mapping[int, Scores | None], floor: Scores | None, keep_frac: float
) -> OperatingPoint | None:
    if full is None:
        return None
    margins = {
        n: None if own is None else margin(own, full, keep_frac=keep_frac, floor=floor) for n, own in frozen.items()
    }
    return operating_point(
        margins, full=float(full.by_seed.mean()), floor=0.0 if floor is None else float(floor.by_seed.mean())
    )


def _difference(scores: Scores | None, reference: Scores | None) -> ComparedDifference | None:
    return None if scores is None or reference is None else difference(scores, reference)


def _seeds_estimate(scores: Scores | None) -> SeedsEstimate | None:
    if scores is None:
        return None
    return SeedsEstimate(**mean_score(scores).model_dump(), by_seed=tuple(scores.by_seed.tolist()))


def _search(search: LineSearch) -> SearchResult:
    scores = {f"{rate:g}": by_seed for rate, by_seed in search.scores.items()}
    return SearchResult(rate=search.rate, is_at_edge=search.is_at_edge, scores=scores)


def _pareto_front(levels: Mapping[str, LevelResult], seconds: Mapping[str, float], metric: str) -> tuple[str, ...]:
    scores = {name: level.scores[metric] for name, level in levels.items()}
    return pareto_front(
        {name: (seconds[name], score.mean) for name, score in scores.items() if name in seconds and score}
    )


def _full_model(scores: LevelScores) -> Scores | None:
    return next((own for level, own in scores.items() if level.name == FULL_MODEL), None)
