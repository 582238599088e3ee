"""Scores and costs of a multi-task experiment's cells, and their relation to the baseline."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from finetune_alf.comparison import differences_from, judged, mean_score
from finetune_alf.experiments.multitask.cells import OVERALL
from finetune_alf.experiments.multitask.document import CellResult, CellScores, TaskScore
from finetune_alf.experiments.multitask.family import multitask_family
from finetune_alf.experiments.multitask.spec import MultitaskSpec
from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric, majority_baseline
from finetune_alf.recipe import TasksSpec
from finetune_alf.stats import Scores
from finetune_alf.train.result import FitResult
from finetune_alf.train.task_scores import overall_scores, scores_by_task

Truths = Mapping[str, Sequence[Label]]
"""Task -> the true class or score of each text of the split that is scored."""

Metrics = Mapping[str, Metric]
"""Task -> its metric."""

Fits = Mapping[str, Mapping[int, FitResult]]
"""Cell -> fit seed -> result, of diverged fits too."""


def cells_table(
    spec: MultitaskSpec, truths: Truths, metrics: Metrics, fits: Fits, n_parameters: Mapping[str, int]
) -> dict[str, CellResult]:
    """Return each cell's scores with intervals, its costs, and both relative to the baseline.

    Differences are of the overall score, over the seeds that a cell shares with the baseline. A cell whose every fit
    diverged has no scores.
    """
    converged = {name: _converged(by_seed) for name, by_seed in fits.items()}
    scores = {name: _scores(spec, truths, metrics, by_seed) for name, by_seed in converged.items() if by_seed}
    overall = {name: own[OVERALL] for name, own in scores.items()}
    differences = judged(differences_from(spec.baseline, overall), multitask_family(spec))
    written = {name: _written(metrics, converged[name], own) for name, own in scores.items()}
    return {
        name: CellResult(
            n_seeds=len(converged[name]),
            n_diverged=len(by_seed) - len(converged[name]),
            n_parameters=n_parameters[name],
            scores=written.get(name),
            difference=differences.get(name),
            **(_relative(written[name], written[spec.baseline]) if name in differences else {}),
        )
        for name, by_seed in fits.items()
    }


def majority_baselines(tasks: TasksSpec, truths: Truths, metrics: Metrics) -> dict[str, float]:
    """Return `metrics.majority_baseline` of each task, and overall."""
    each = {task: majority_baseline(metrics[task], truth) for task, truth in truths.items()}
    names = {task: metric.name for task, metric in metrics.items()}
    return {**each, OVERALL: tasks.overall_score(each, names)}


def _converged(by_seed: Mapping[int, FitResult]) -> dict[int, FitResult]:
    return {seed: by_seed[seed] for seed in sorted(by_seed) if by_seed[seed].score is not None}


def _scores(
    spec: MultitaskSpec, truths: Truths, metrics: Metrics, by_seed: Mapping[int, FitResult]
) -> dict[str, Scores]:
    """Return the scores of a cell's fits by task, and overall."""
    assert spec.recipe.tasks  # noqa: S101 - the spec checks it
    scores = scores_by_task(truths, metrics, by_seed)
    return {**scores, OVERALL: overall_scores(spec.recipe.tasks, metrics, scores)}


def _written(metrics: Metrics, by_seed: Mapping[int, FitResult], scores: Mapping[str, Scores]) -> CellScores:
    fits = list(by_seed.values())
    means = {name: mean_score(own) for name, own in scores.items()}
    return CellScores(
        overall=means[OVERALL],
        tasks={task: TaskScore(metric=metric.name, **means[task].model_dump()) for task, metric in metrics.items()},
        validation=fmean(_kept(fit) for fit in fits),
        kept_epoch=fmean(fit.kept_epoch or 0 for fit in fits),
        seconds=median(fit.seconds for fit in fits),
        n_trainable_parameters=fits[0].n_trainable_parameters,
    )


def _kept(fit: FitResult) -> float:
    """Return the overall score of the kept epoch on the validation split."""
    return fit.epochs[fit.kept_epoch or 0].validation_score or 0.0


def _relative(cell: CellScores, baseline: CellScores) -> dict[str, float | None]:
    """Return time saved and score kept; the second is None where the baseline's score is not above 0."""
    return {
        "time_saved": 1 - cell.seconds / baseline.seconds,
        "score_kept": cell.overall.mean / baseline.overall.mean if baseline.overall.mean > 0 else None,
    }
