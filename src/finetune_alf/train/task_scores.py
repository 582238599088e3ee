"""The scores of fits at several tasks: at each, and overall."""

from collections.abc import Mapping, Sequence
from functools import partial

from finetune_alf.metric_names import Label
from finetune_alf.metrics import Metric
from finetune_alf.recipe import TasksSpec
from finetune_alf.stats import Scores, combined_scores, scores_of
from finetune_alf.train.result import FitResult


def scores_by_task(
    truths: Mapping[str, Sequence[Label]], metrics: Mapping[str, Metric], fits: Mapping[int, FitResult]
) -> dict[str, Scores]:
    """Return the scores of fits, by seed, at each task; `truths` and `metrics` are those of the tasks."""
    return {
        task: scores_of(metric, truths[task], {seed: (fit.tasks or {})[task].predictions for seed, fit in fits.items()})
        for task, metric in metrics.items()
    }


def overall_scores(tasks: TasksSpec, metrics: Mapping[str, Metric], by_task: Mapping[str, Scores]) -> Scores:
    """Return the overall scores of fits, from their scores at each task."""
    names = {task: metric.name for task, metric in metrics.items()}
    return combined_scores(by_task, partial(tasks.overall_score, metrics=names))
