"""The planted fit of `throughput.py`, in a module of its own, so that the workers of Ray can import it, too."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetune_alf.train.result import EpochMetrics, FitResult

N_LAYERS, N_EPOCHS = 6, 3


@dataclass(frozen=True)
class PlantedFit:
    """A fit that sleeps; its score follows from the rates alone."""

    seconds: float

    def __call__(self, job: Any, report: Callable[[EpochMetrics], bool]) -> FitResult:
        """Sleep, and report epochs."""
        started = time.time_ns() // 1_000_000
        rates = job.recipe.rates.at(N_LAYERS)
        score = 0.9 - 0.02 * sum(abs(math.log10(max(rate, 1e-9)) + 5) for rate in rates.values()) / len(rates)
        epochs = []
        for number in range(N_EPOCHS):
            time.sleep(self.seconds / N_EPOCHS)
            fields = {"epoch": number, "train_loss": 0.5, "validation_loss": 0.5, "validation_accuracy": score}
            epochs.append(EpochMetrics(**fields, seconds=self.seconds, ended_ms=time.time_ns() // 1_000_000))
            report(epochs[-1])
        return FitResult(
            epochs=tuple(epochs),
            kept_epoch=2,
            score=score,
            accuracy=score,
            balanced_accuracy=score,
            loss=0.5,
            predictions=(0, 1) * 20,
            stopped="epochs",
            seconds=self.seconds,
            n_steps=24,
            n_trainable_parameters=100,
            started_ms=started,
        )
