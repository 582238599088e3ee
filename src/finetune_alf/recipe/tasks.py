"""Several tasks in one fit: how their batches take turns, the heads that they share and own, and their overall score.

A recipe with `tasks` is a multi-task recipe. The defaults are those of minBERT multi-task (Gamarra Lafuente & Udash,
section 4) where it names one. The draws themselves are in `train/stream.py`, the heads in `encoder/heads.py`.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.metrics import MetricName
from finetune_alf.paths import Name
from finetune_alf.spec import Spec

Count = Annotated[int, Field(ge=1)]

FROM_MINUS_ONE = frozenset({"pearson", "spearman", "matthews"})
"""Metrics that range from -1 to 1; the others range from 0 to 1."""


class ProportionalSampling(Spec):
    """Each step is of one task, drawn in proportion to its training texts."""

    kind: Literal["proportional"] = "proportional"

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its chance is proportional to, in an epoch counted from 0."""
        return 1.0


class TemperedSampling(Spec):
    """Each step is of one task, drawn in proportion to a power of its training texts.

    With 1 as the power this is proportional, with 0 all tasks are as likely. Stickland & Murray 2019 ("BERT and PALs")
    try the square root.
    """

    kind: Literal["tempered"] = "tempered"
    power: Annotated[float, Field(ge=0, le=1)] = 0.5

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its chance is proportional to, in an epoch counted from 0."""
        return self.power


class AnnealedSampling(Spec):
    """Proportional in the first epoch, nearly even in the last: 1 - 0.8 (e - 1) / (E - 1) as the power in epoch e of E.

    Stickland & Murray 2019, "BERT and PALs": towards the end of training no task should be drowned out by larger ones.
    """

    kind: Literal["annealed"] = "annealed"
    fall: Annotated[float, Field(ge=0, le=1)] = 0.8

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its chance is proportional to, in an epoch counted from 0."""
        return 1.0 - self.fall * epoch / max(n_epochs - 1, 1)


class RoundRobin(Spec):
    """The tasks take turns, a batch each, in their order; small ones come round more often than their size asks."""

    kind: Literal["round_robin"] = "round_robin"


class JointSteps(Spec):
    """Every step learns from a batch of each task at once, their losses weighted and added up."""

    kind: Literal["joint"] = "joint"


TaskSampling = Annotated[
    ProportionalSampling | TemperedSampling | AnnealedSampling | RoundRobin | JointSteps, Field(discriminator="kind")
]


class HeadsSpec(Spec):
    """What stands between the encoder and the tasks' answers.

    `n_common_layers` linear layers of the encoder's width are shared by all tasks and come before their own, of which
    each has `n_own_layers`, the output layer among them. `dropout` falls where the model's own head has its dropout,
    before the first of these layers; without it the model's own probability stays. `activation` stands after each
    linear layer but the outputs: minBERT multi-task names none for its "simple linear layers", which makes of a stack
    one linear map that is learned in another way; BERT's own pooler has tanh.
    """

    n_common_layers: Annotated[int, Field(ge=0)] = 1
    n_own_layers: Count = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = 0.3
    activation: Literal["none", "tanh", "relu"] = "none"


class TaskSpec(Spec):
    """One task: how its texts are read, its own layers, what it is trained by and scored by.

    `pairs: apart` encodes the two texts of a pair by themselves, and gives both vectors to the output layer; `together`
    joins them to one input. `n_layers` is the task's own number instead of `heads.n_own_layers`. `weight` multiplies
    the task's loss, in gradients and in the training loss that is told. Without `metric` classes are scored by accuracy
    and scores by Pearson's correlation; without `loss` classes learn by cross-entropy and scores by squared error.
    `loss: binary` is one output for two classes.
    """

    pairs: Literal["together", "apart"] = "together"
    n_layers: Count | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    metric: MetricName | None = None
    loss: Literal["classes", "binary", "score"] | None = None


class TasksSpec(Spec):
    """A multi-task recipe's own part.

    `each` says what is not default of the tasks, by name. `overall` makes one score of theirs: their mean, those that
    range from -1 to 1 brought to [0, 1] first (`normalised_mean`, minBERT multi-task, section 5.2) or not (`mean`), or
    the lowest one, brought there too (`lowest`). An epoch has as many steps as the tasks have batches, unless
    `steps_per_epoch` says otherwise.
    """

    sampling: TaskSampling = ProportionalSampling()
    heads: HeadsSpec = HeadsSpec()
    each: dict[Name, TaskSpec] = Field(default={})
    overall: Literal["normalised_mean", "mean", "lowest"] = "normalised_mean"
    steps_per_epoch: Count | None = None

    def of(self, task: str) -> TaskSpec:
        """Return what is said of a task, or the default."""
        return self.each.get(task, TaskSpec())

    def score(self, scores: Mapping[str, float], metrics: Mapping[str, str]) -> float:
        """Return the overall score of the tasks' scores, each by its metric."""
        if self.overall == "mean":
            return fmean(scores.values())
        shares = [(score + 1) / 2 if metrics[task] in FROM_MINUS_ONE else score for task, score in scores.items()]
        return min(shares) if self.overall == "lowest" else fmean(shares)
