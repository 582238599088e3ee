"""What a fit leaves behind, as records."""

from typing import Literal

from finetune_alf.spec import Spec

Stopped = Literal["epochs", "converged", "diverged", "pruned"]
Answers = tuple[int, ...] | tuple[float, ...]
"""Classes, or scores."""


class EpochMetrics(Spec):
    """One epoch: mean losses a text, scores on the validation split, seconds of training and evaluation.

    Losses are in nats for classes, in squared units for scores. `validation_score` is the metric asked for; `tasks` are
    its parts where a fit has several tasks.
    """

    epoch: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    validation_score: float | None = None
    tasks: dict[str, float] | None = None
    seconds: float
    ended_ms: int


class TaskResult(Spec):
    """How a fit of several tasks does at one of them."""

    metric: str
    score: float
    loss: float
    predictions: Answers


class FitResult(Spec):
    """A finished fit, scored on one split.

    `score` is the metric asked for; it, the losses and accuracies are None where the fit diverged, accuracies also
    where there are no classes. Of several tasks `score` is the overall one, `loss` the mean, and `tasks` holds each.
    `kept_epoch` is the epoch whose weights were scored, `n_trainable_parameters` how many weights could learn.
    `frozen_dropout: off` says that the frozen layers at the bottom ran without dropout.
    """

    epochs: tuple[EpochMetrics, ...]
    kept_epoch: int | None
    score: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    loss: float | None
    predictions: Answers
    tasks: dict[str, TaskResult] | None = None
    stopped: Stopped
    seconds: float
    n_steps: int
    n_trainable_parameters: int
    device: str
    precision: Literal["fp32", "bf16"]
    n_threads: int
    frozen_dropout: Literal["on", "off"] = "on"
    started_ms: int
