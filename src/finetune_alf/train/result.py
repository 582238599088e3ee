"""The records of a fit: its epochs and its result."""

from typing import Literal

from finetune_alf.compute import Environment, Precision
from finetune_alf.rates import Address
from finetune_alf.spec import Spec

StopReason = Literal["epochs", "converged", "diverged", "pruned"]
Labels = tuple[int, ...] | tuple[float, ...] | tuple[tuple[int, ...], ...]
"""Classes, scores, or sets of classes."""


class EpochMetrics(Spec):
    """One epoch: mean losses a text, scores on the validation split, seconds of training and evaluation.

    Losses are in nats for classes, in squared units for scores. `validation_score` is the fit's metric; `tasks` holds
    the score of each task where a fit has several.
    """

    epoch: int
    train_loss: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    validation_score: float | None = None
    tasks: dict[str, float] | None = None
    seconds: float
    ended_ms: int

    @property
    def score(self) -> float | None:
        """The score by the fit's metric; records of earlier versions have the accuracy only."""
        return self.validation_accuracy if self.validation_score is None else self.validation_score


class TaskResult(Spec):
    """The result at one of several tasks."""

    metric: str
    score: float
    loss: float
    predictions: Labels


class FitResult(Spec):
    """A finished fit, scored on one split.

    `score` is the fit's metric. It, the losses and the accuracies are None where the fit diverged; accuracies are also
    None where labels are not classes. With several tasks `score` is the overall one, `loss` the mean, and `tasks` holds
    each. `kept_epoch` is the epoch whose weights were scored. `frozen_dropout: off` means that the frozen layers at the
    bottom ran without dropout. `movement` is the mean change of a weight at each address over the whole fit, over the
    mean size of one (`encoder/movement.py`); None where the fit diverged, and in results of older versions.
    """

    epochs: tuple[EpochMetrics, ...]
    kept_epoch: int | None
    score: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    loss: float | None
    predictions: Labels
    tasks: dict[str, TaskResult] | None = None
    stopped: StopReason
    seconds: float
    n_steps: int
    n_trainable_parameters: int
    frozen_dropout: Literal["on", "off"] = "on"
    movement: dict[Address, float] | None = None
    started_ms: int


class AdjustedFit(FitResult):
    """A fit that ran otherwise than `compute` says.

    Its `micro_batch` is smaller for lack of memory, or its `precision` is fp32 as its encoder's is.
    """

    micro_batch: int | None
    precision: Precision


def ran_in(result: FitResult, environment: Environment) -> Environment:
    """Return the environment that a fit ran in, which began in `environment`."""
    if isinstance(result, AdjustedFit):
        return environment.model_copy(update={"micro_batch": result.micro_batch, "precision": result.precision})
    return environment


def recorded(result: FitResult, environment: Environment) -> "RecordedFit":
    """Return a result as a ledger keeps it."""
    fields = {name: getattr(result, name) for name in FitResult.model_fields}
    return RecordedFit(**fields, environment=ran_in(result, environment))


class RecordedFit(FitResult):
    """A finished fit of a ledger, with the environment that it ran in."""

    environment: Environment
