"""How a fit stands between its epochs: what it has told, which epoch counts, and whether it goes on."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from finetune_alf.metrics import METRICS, accuracy, balanced_accuracy
from finetune_alf.recipe import Recipe
from finetune_alf.train.evaluate import Evaluation
from finetune_alf.train.precision import Precision
from finetune_alf.train.result import EpochMetrics, FitResult, Stopped, TaskResult

Said = Mapping[str, Evaluation]
"""What a model said about a split of each task."""


@dataclass(frozen=True)
class Facts:
    """What a result says of a fit besides its epochs; `started` is the second in which it began."""

    started: float
    n_steps: int
    n_trainable_parameters: int
    device: torch.device
    precision: Precision


class Standing:
    """The epochs of one fit so far."""

    def __init__(self, recipe: Recipe, metrics: Mapping[str, str]) -> None:
        """Take the recipe, and the metric of each task."""
        self._recipe, self._metrics = recipe, metrics
        self.records: list[EpochMetrics] = []
        self.kept_epoch = 0
        self.kept: Said | None = None
        self.stopped: Stopped | None = None
        self._kept_score = -math.inf

    def take(self, started: float, train_loss: float, said: Said | None) -> bool:
        """Take note of an epoch that began at `started` (seconds). Returns whether it is the one that counts so far."""
        ended, epoch = time.time(), len(self.records)
        heard = said if math.isfinite(train_loss) else None
        loss = _mean_loss(heard) if heard else math.nan
        scores = self._scores(heard) if heard and math.isfinite(loss) else {}
        score = self._overall(scores) if scores else None
        self.records.append(
            EpochMetrics(
                epoch=epoch,
                train_loss=train_loss if math.isfinite(train_loss) else None,
                validation_loss=loss if math.isfinite(loss) else None,
                validation_accuracy=_of_classes(accuracy, heard),
                validation_score=score,
                tasks=scores if scores and self._recipe.tasks else None,
                seconds=ended - started,
                ended_ms=round(ended * 1000),
            )
        )
        if score is None or (self._recipe.keep == "best" and score <= self._kept_score):
            return False
        self.kept_epoch, self.kept, self._kept_score = epoch, heard, score
        return True

    def stop(self, report: Callable[[EpochMetrics], bool]) -> None:
        """Report the last epoch, unless the fit diverged in it; set `stopped` if the fit ends there."""
        record, stopping = self.records[-1], self._recipe.stopping
        if record.train_loss is None or record.validation_loss is None:
            self.stopped = "diverged"
        elif not report(record):
            self.stopped = "pruned"
        elif stopping and stopping.is_over([r.train_loss or 0.0 for r in self.records]):
            self.stopped = "converged"
        elif len(self.records) == self._recipe.epochs:
            self.stopped = "epochs"

    def result(self, scored: Said | None, facts: Facts) -> FitResult:
        """Return the record of a fit that has stopped, and how its weights do on the scored split."""
        scores = self._scores(scored) if scored else {}
        alone = next(iter(scored.values())) if scored and len(scored) == 1 else None
        return FitResult(
            epochs=tuple(self.records),
            kept_epoch=self.kept_epoch if scored else None,
            score=self._overall(scores) if scores else None,
            accuracy=_of_classes(accuracy, scored),
            balanced_accuracy=_of_classes(balanced_accuracy, scored),
            loss=_mean_loss(scored) if scored else None,
            predictions=alone.predictions if alone else (),
            tasks=self._tasks(scored, scores) if scored and self._recipe.tasks else None,
            stopped=self.stopped or "epochs",
            seconds=time.time() - facts.started,
            n_steps=facts.n_steps,
            n_trainable_parameters=facts.n_trainable_parameters,
            device=str(facts.device),
            precision=facts.precision,
            n_threads=torch.get_num_threads(),
            frozen_dropout=self._recipe.frozen_dropout,
            started_ms=round(facts.started * 1000),
        )

    def _scores(self, said: Said) -> dict[str, float]:
        return {task: METRICS[self._metrics[task]](one.truth, one.predictions) for task, one in said.items()}

    def _overall(self, scores: Mapping[str, float]) -> float:
        if self._recipe.tasks:
            return self._recipe.tasks.score(scores, self._metrics)
        (score,) = scores.values()
        return score

    def _tasks(self, said: Said, scores: Mapping[str, float]) -> dict[str, TaskResult]:
        return {
            task: TaskResult(metric=self._metrics[task], score=scores[task], loss=one.loss, predictions=one.predictions)
            for task, one in said.items()
        }


def _mean_loss(said: Said) -> float:
    return sum(one.loss for one in said.values()) / len(said)


def _of_classes(metric: Callable[..., float], said: Said | None) -> float | None:
    """Return an accuracy where there is one task, and it is of classes."""
    if said is None or len(said) > 1:
        return None
    (one,) = said.values()
    return metric(one.truth, one.predictions) if isinstance(one.truth[0], int) else None
