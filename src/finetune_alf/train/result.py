"""What a fit leaves behind, as records."""

from typing import Literal

from finetune_alf.spec import Spec

Stopped = Literal["epochs", "converged", "diverged", "pruned"]


class EpochRecord(Spec):
    """One epoch: mean losses in nats a text, the metric on the validation split, seconds of training and evaluation."""

    epoch: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    ended_ms: int


class FitResult(Spec):
    """A finished fit, scored on one split.

    `score` is the metric asked for; it, the losses and accuracies are None where the fit diverged.
    `kept_epoch` is the epoch whose weights were scored, `n_open_parameters` how many weights could learn.
    `frozen_dropout: off` says that the frozen layers at the bottom ran without dropout.
    """

    epochs: tuple[EpochRecord, ...]
    kept_epoch: int | None
    score: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    loss: float | None
    predictions: tuple[int, ...]
    stopped: Stopped
    seconds: float
    n_steps: int
    n_open_parameters: int
    device: str
    precision: Literal["fp32", "bf16"]
    n_threads: int
    frozen_dropout: Literal["on", "off"] = "on"
    started_ms: int
