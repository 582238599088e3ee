"""How a fit stands between its epochs: what it has told, which epoch counts, and whether it goes on."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from finetune_alf.metrics import METRICS, accuracy, balanced_accuracy
from finetune_alf.recipe import Recipe
from finetune_alf.train.evaluate import Evaluation
from finetune_alf.train.precision import Precision
from finetune_alf.train.result import EpochRecord, FitResult, Stopped


@dataclass(frozen=True)
class Facts:
    """What a result says of a fit besides its epochs; `started` is the second in which it began."""

    started: float
    n_steps: int
    n_open_parameters: int
    device: torch.device
    precision: Precision


class Standing:
    """The epochs of one fit so far."""

    def __init__(self, recipe: Recipe, metric: str) -> None:
        self._recipe, self._score = recipe, METRICS[metric]
        self.records: list[EpochRecord] = []
        self.kept_epoch = 0
        self.kept: Evaluation | None = None
        self.stopped: Stopped | None = None

    def take(self, started: float, train_loss: float, said: Evaluation | None) -> bool:
        """Take note of an epoch that began at `started` (seconds). Returns whether it is the one that counts so far."""
        ended, epoch = time.time(), len(self.records)
        heard = said if math.isfinite(train_loss) else None
        self.records.append(
            EpochRecord(
                epoch=epoch,
                train_loss=train_loss if math.isfinite(train_loss) else None,
                validation_loss=heard.loss if heard and math.isfinite(heard.loss) else None,
                validation_accuracy=accuracy(heard.truth, heard.predictions) if heard else None,
                seconds=ended - started,
                ended_ms=round(ended * 1000),
            )
        )
        if heard is None or not self._counts(heard):
            return False
        self.kept_epoch, self.kept = epoch, heard
        return True

    def stop(self, report: Callable[[EpochRecord], bool]) -> None:
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

    def result(self, scored: Evaluation | None, facts: Facts) -> FitResult:
        """Return the record of a fit that has stopped, and how its weights do on the scored split."""
        return FitResult(
            epochs=tuple(self.records),
            kept_epoch=self.kept_epoch if scored else None,
            score=self._score(scored.truth, scored.predictions) if scored else None,
            accuracy=accuracy(scored.truth, scored.predictions) if scored else None,
            balanced_accuracy=balanced_accuracy(scored.truth, scored.predictions) if scored else None,
            loss=scored.loss if scored else None,
            predictions=scored.predictions if scored else (),
            stopped=self.stopped or "epochs",
            seconds=time.time() - facts.started,
            n_steps=facts.n_steps,
            n_open_parameters=facts.n_open_parameters,
            device=str(facts.device),
            precision=facts.precision,
            n_threads=torch.get_num_threads(),
            frozen_dropout=self._recipe.frozen_dropout,
            started_ms=round(facts.started * 1000),
        )

    def _counts(self, said: Evaluation) -> bool:
        if not math.isfinite(said.loss):
            return False
        if self._recipe.keep == "last" or self.kept is None:
            return True
        return self._score(said.truth, said.predictions) > self._score(self.kept.truth, self.kept.predictions)
