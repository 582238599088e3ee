"""Fake fits whose score is a function of the rates. Imports without torch."""

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finetune_alf.rates import LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.train.result import EpochMetrics, FitResult, StopReason

N_LAYERS = 3
N_EPOCHS = 3


class Job(Protocol):
    """The part of a FitJob that a fake fit uses."""

    @property
    def key(self) -> str: ...

    @property
    def recipe(self) -> Recipe: ...


@dataclass(frozen=True)
class LightJob:
    """The part of a FitJob that a fake fit uses, without torch."""

    key: str
    recipe: Recipe


def score_of(rates: LayerRates) -> float:
    """Return a score that is highest with the lowest layer frozen and the top layer at 5e-5."""
    low, top = rates.layers[0], rates.layers[-1]
    return 0.9 - 0.02 * math.log10(1 + low * 1e9) - 0.05 * abs(math.log10(max(top, 1e-9) / 5e-5)) ** 0.5


def epochs_up_to(score: float, n_epochs: int = N_EPOCHS) -> tuple[EpochMetrics, ...]:
    """Return epochs whose accuracy rises to the score."""
    return tuple(
        EpochMetrics(
            epoch=epoch,
            train_loss=1 - 0.1 * epoch,
            validation_loss=1 - score,
            validation_accuracy=score * (epoch + 1) / n_epochs,
            validation_score=score * (epoch + 1) / n_epochs,
            seconds=0.0,
            ended_ms=epoch,
        )
        for epoch in range(n_epochs)
    )


def fit_result(score: float | None, epochs: tuple[EpochMetrics, ...] = (), stopped: StopReason = "epochs") -> FitResult:
    return FitResult.model_construct(  # without validation: scores may be NaN
        epochs=epochs,
        kept_epoch=len(epochs) - 1,
        score=score,
        accuracy=score,
        balanced_accuracy=score,
        loss=0.5,
        predictions=(0, 1, 1, 0),
        stopped=stopped,
        seconds=0.0,
        n_steps=24,
        n_trainable_parameters=100,
        started_ms=0,
    )


@dataclass(frozen=True)
class FakeFit:
    """Return a score that depends on the rates alone; each epoch takes `epoch_s`."""

    epoch_s: float = 0.0

    def __call__(self, job: Job, report: Callable[[EpochMetrics], bool]) -> FitResult:
        score = score_of(job.recipe.rates.at(N_LAYERS))
        epochs = epochs_up_to(score)
        for n_done, epoch in enumerate(epochs, start=1):
            time.sleep(self.epoch_s)
            if not report(epoch):
                return fit_result(score, epochs[:n_done], "pruned")
        return fit_result(score, epochs)


@dataclass(frozen=True)
class WorkerKillingFit:
    """A FakeFit whose trials kill their own worker none, one or two times first; `folder` counts the kills."""

    folder: Path

    def __call__(self, job: Job, report: Callable[[EpochMetrics], bool]) -> FitResult:
        number = job.key.rpartition("/")[2]
        n_kills = len(list(self.folder.glob(f"{number}-*")))
        if n_kills < int(number) % 3:
            (self.folder / f"{number}-{n_kills}").touch()
            report(epochs_up_to(0.5)[0])
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeFit()(job, report)


@dataclass(frozen=True)
class SelfKillingFit:
    """A FakeFit that kills its process at one trial, as the system does for lack of memory."""

    trial: int

    def __call__(self, job: Job, report: Callable[[EpochMetrics], bool]) -> FitResult:
        if job.key.endswith(f"/{self.trial}"):
            report(epochs_up_to(0.5)[0])
            os.kill(os.getpid(), signal.SIGKILL)
        return FakeFit()(job, report)
