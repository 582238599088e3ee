"""Scores and costs of a multi-task experiment's cells, and their relation to the baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from statistics import fmean, median
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.experiments.comparison import SeedValues, seeds_interval
from finetune_alf.experiments.multitask.cells import OVERALL
from finetune_alf.experiments.multitask.document import CellResult, CellScores, TaskScore
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.metrics import Metric, majority_baseline
from finetune_alf.recipe import TasksSpec
from finetune_alf.seeds import child_seed
from finetune_alf.stats.bootstrap import Replicates, bootstrap_interval, bootstrap_replicates, combine_replicates
from finetune_alf.train.result import FitResult

Truths = Mapping[str, Sequence[float]]
"""Task -> the true class or score of each text of the split that is scored."""

Metrics = Mapping[str, Metric]
"""Task -> its metric."""

Fits = Mapping[str, Mapping[int, FitResult]]
"""Cell -> fit seed -> result, of diverged fits too."""


def cells_table(
    spec: MultitaskSpec, truths: Truths, metrics: Metrics, fits: Fits, n_parameters: Mapping[str, int]
) -> dict[str, CellResult]:
    """Return each cell's scores with intervals, its costs, and both relative to the baseline.

    Texts are resampled task by task, the same ones for all cells; seeds are compared where both cells have them. A cell
    whose every fit diverged has no scores.
    """
    converged = {name: _converged(by_seed) for name, by_seed in fits.items()}
    values = {name: _values(spec, truths, metrics, by_seed) if by_seed else {} for name, by_seed in converged.items()}
    scores = {
        name: _scores(spec, metrics, by_seed, values[name]) if by_seed else None for name, by_seed in converged.items()
    }
    overall = {name: _overall(by_seed, values[name]) for name, by_seed in converged.items()}
    return {
        name: CellResult(
            n_seeds=len(converged[name]),
            n_diverged=len(by_seed) - len(converged[name]),
            n_parameters=n_parameters[name],
            scores=scores[name],
            **_relative(spec, name, scores, overall),
        )
        for name, by_seed in fits.items()
    }


def majority_baselines(tasks: TasksSpec, truths: Truths, metrics: Metrics) -> dict[str, float]:
    """Return `metrics.majority_baseline` of each task, and overall."""
    each = {task: majority_baseline(metrics[task], truth) for task, truth in truths.items()}
    return {**each, OVERALL: tasks.overall_score(each, _names(metrics))}


def _converged(by_seed: Mapping[int, FitResult]) -> dict[int, FitResult]:
    return {seed: by_seed[seed] for seed in sorted(by_seed) if by_seed[seed].score is not None}


def _names(metrics: Metrics) -> dict[str, str]:
    return {task: metric.name for task, metric in metrics.items()}


def _values(
    spec: MultitaskSpec, truths: Truths, metrics: Metrics, by_seed: Mapping[int, FitResult]
) -> dict[str, Replicates]:
    values = {}
    for task, metric in metrics.items():
        predictions = [(fit.tasks or {})[task].predictions for fit in by_seed.values()]
        seed = child_seed(spec.seed, "texts", task)
        values[task] = bootstrap_replicates(metric, truths[task], predictions, spec.n_resamples, seed)
    assert spec.recipe.tasks  # noqa: S101 - the spec checks it
    overall = partial(spec.recipe.tasks.overall_score, metrics=_names(metrics))
    return {**values, OVERALL: combine_replicates(values, overall)}


def _scores(
    spec: MultitaskSpec, metrics: Metrics, by_seed: Mapping[int, FitResult], values: Mapping[str, Replicates]
) -> CellScores:
    fits, seed = list(by_seed.values()), child_seed(spec.seed, "seeds")
    intervals = {name: asdict(bootstrap_interval(replicates, seed)) for name, replicates in values.items()}
    return CellScores(
        overall=Estimate(**intervals[OVERALL]),
        tasks={task: TaskScore(metric=metric.name, **intervals[task]) for task, metric in metrics.items()},
        validation=fmean(_kept(fit) for fit in fits),
        kept_epoch=fmean(fit.kept_epoch or 0 for fit in fits),
        seconds=median(fit.seconds for fit in fits),
        n_trainable_parameters=fits[0].n_trainable_parameters,
    )


def _kept(fit: FitResult) -> float:
    """Return the overall score of the kept epoch on the validation split."""
    return fit.epochs[fit.kept_epoch or 0].validation_score or 0.0


def _overall(by_seed: Mapping[int, FitResult], values: Mapping[str, Replicates]) -> dict[int, Replicates]:
    return {seed: values[OVERALL][:, column] for column, seed in enumerate(by_seed)}


def _relative(
    spec: MultitaskSpec,
    name: str,
    scores: Mapping[str, CellScores | None],
    overall: Mapping[str, SeedValues],
) -> dict[str, Any]:
    """Return time saved, score kept, and the paired difference from the baseline; nothing where one has no scores.

    The score kept is None where the baseline's score is not above 0.
    """
    cell, baseline = scores[name], scores[spec.baseline]
    values, baseline_values = overall[name], overall[spec.baseline]
    shared = [seed for seed in values if seed in baseline_values]
    if name == spec.baseline or not (cell and baseline and shared):
        return {}
    differences = {seed: values[seed] - baseline_values[seed] for seed in shared}
    return {
        "time_saved": 1 - cell.seconds / baseline.seconds,
        "score_kept": cell.overall.mean / baseline.overall.mean if baseline.overall.mean > 0 else None,
        "difference": Estimate(**asdict(seeds_interval(differences, child_seed(spec.seed, "seeds")))),
    }
