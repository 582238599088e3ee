"""The state of a fit between its epochs: its metrics so far, the kept epoch, and whether it has stopped."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from finetune_alf.clock import Stopwatch
from finetune_alf.metrics import Metric, accuracy, balanced_accuracy
from finetune_alf.rates import Address
from finetune_alf.recipe import Recipe
from finetune_alf.train.evaluate import Evaluation
from finetune_alf.train.result import EpochMetrics, FitResult, StopReason, TaskResult

Evaluations = Mapping[str, Evaluation]
"""The evaluation of a model on one split of each task."""


@dataclass(frozen=True)
class FitSummary:
    """What a result contains besides its epochs and scores; the stopwatch started with the fit."""

    stopwatch: Stopwatch
    n_steps: int
    n_trainable_parameters: int
    movement: Mapping[Address, float]


class TrainingState:
    """The epochs of one fit so far."""

    def __init__(self, recipe: Recipe, metrics: Mapping[str, Metric]) -> None:
        """Start before the first epoch; `metrics` are those of the tasks."""
        self._recipe, self._metrics = recipe, metrics
        self.epochs: list[EpochMetrics] = []
        self.kept_epoch = 0
        self.kept: Evaluations | None = None
        self.stopped: StopReason | None = None
        self._kept_score = -math.inf

    def add_epoch(self, stopwatch: Stopwatch, train_loss: float, evaluations: Evaluations | None) -> bool:
        """Record an epoch that began with the stopwatch. Returns whether it is the kept epoch so far."""
        seconds, epoch = stopwatch.seconds, len(self.epochs)
        finite = evaluations if math.isfinite(train_loss) else None
        loss = _mean_loss(finite) if finite else math.nan
        scores = self._scores(finite) if finite and math.isfinite(loss) else {}
        score = self._overall(scores) if scores else None
        self.epochs.append(
            EpochMetrics(
                epoch=epoch,
                train_loss=train_loss if math.isfinite(train_loss) else None,
                validation_loss=loss if math.isfinite(loss) else None,
                validation_accuracy=_classification_metric(accuracy, finite),
                validation_score=score,
                tasks=scores if scores and self._recipe.tasks else None,
                seconds=seconds,
                ended_ms=stopwatch.started_ms + round(seconds * 1000),
            )
        )
        if score is None or (self._recipe.keep == "best" and score <= self._kept_score):
            return False
        self.kept_epoch, self.kept, self._kept_score = epoch, finite, score
        return True

    def report_epoch(self, report: Callable[[EpochMetrics], bool]) -> None:
        """Report the last epoch, unless the fit diverged in it, and set `stopped` if the fit ends there."""
        epoch, stopping = self.epochs[-1], self._recipe.early_stopping
        if epoch.train_loss is None or epoch.validation_loss is None:
            self.stopped = "diverged"
        elif not report(epoch):
            self.stopped = "pruned"
        elif stopping and stopping.should_stop([e.train_loss or 0.0 for e in self.epochs]):
            self.stopped = "converged"
        elif len(self.epochs) == self._recipe.epochs:
            self.stopped = "epochs"

    def result(self, scored: Evaluations | None, summary: FitSummary) -> FitResult:
        """Return the result of a stopped fit; `scored` is the evaluation of its kept weights, None if it diverged."""
        scores = self._scores(scored) if scored else {}
        only = next(iter(scored.values())) if scored and len(scored) == 1 else None
        return FitResult(
            epochs=tuple(self.epochs),
            kept_epoch=self.kept_epoch if scored else None,
            score=self._overall(scores) if scores else None,
            accuracy=_classification_metric(accuracy, scored),
            balanced_accuracy=_classification_metric(balanced_accuracy, scored),
            loss=_mean_loss(scored) if scored else None,
            predictions=only.predictions if only else (),
            tasks=self._task_results(scored, scores) if scored and self._recipe.tasks else None,
            stopped=self.stopped or "epochs",
            seconds=summary.stopwatch.seconds,
            n_steps=summary.n_steps,
            n_trainable_parameters=summary.n_trainable_parameters,
            frozen_dropout=self._recipe.frozen_dropout,
            movement=dict(summary.movement) if scored else None,
            started_ms=summary.stopwatch.started_ms,
        )

    def _scores(self, evaluations: Evaluations) -> dict[str, float]:
        return {task: self._metrics[task](one.labels, one.predictions) for task, one in evaluations.items()}

    def _overall(self, scores: Mapping[str, float]) -> float:
        if self._recipe.tasks:
            names = {task: metric.name for task, metric in self._metrics.items()}
            return self._recipe.tasks.overall_score(scores, names)
        (score,) = scores.values()
        return score

    def _task_results(self, evaluations: Evaluations, scores: Mapping[str, float]) -> dict[str, TaskResult]:
        return {
            task: TaskResult(
                metric=self._metrics[task].name, score=scores[task], loss=one.loss, predictions=one.predictions
            )
            for task, one in evaluations.items()
        }


def _mean_loss(evaluations: Evaluations) -> float:
    return sum(one.loss for one in evaluations.values()) / len(evaluations)


def _classification_metric(metric: Callable[..., float], evaluations: Evaluations | None) -> float | None:
    """Return a metric of classes where there is one task, and its labels are classes."""
    if evaluations is None or len(evaluations) > 1:
        return None
    (one,) = evaluations.values()
    return metric(one.labels, one.predictions) if isinstance(one.labels[0], int) else None
