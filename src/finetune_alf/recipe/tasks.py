"""Several tasks in one fit: how their batches are sampled, their heads, and their overall score.

A recipe with `tasks` is a multi-task recipe. The defaults are those of minBERT multi-task (Gamarra Lafuente & Udash,
section 4) where it names one. The batches are drawn in `train/steps.py`, the heads are in `encoder/heads.py`.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field

from finetune_alf.metric_names import MetricName, ProblemType
from finetune_alf.paths import Name
from finetune_alf.spec import Count, Spec

LOSSES: Mapping[str, ProblemType] = {
    "cross_entropy": "classification",
    "binary_cross_entropy": "classification",
    "squared_error": "regression",
}
"""The losses of a task, and the labels that each is for."""

CORRELATIONS = frozenset({"pearson", "spearman", "matthews"})
"""Correlation coefficients, which range from -1 to 1; the other metrics range from 0 to 1."""


class ProportionalSampling(Spec):
    """Each step trains one task, drawn in proportion to its number of training texts."""

    kind: Literal["proportional"] = "proportional"

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its probability is proportional to, in an epoch counted from 0."""
        return 1.0


class TemperedSampling(Spec):
    """Each step trains one task, drawn in proportion to a power of its number of training texts.

    A power of 1 is proportional sampling, a power of 0 is uniform. Stickland & Murray 2019 ("BERT and PALs") try the
    square root.
    """

    kind: Literal["tempered"] = "tempered"
    power: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The power of a task's size that its probability is proportional to."""

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its probability is proportional to, in an epoch counted from 0."""
        return self.power


class AnnealedSampling(Spec):
    """Proportional in the first epoch, nearly uniform in the last: the power is 1 - 0.8 (e - 1) / (E - 1) in epoch e.

    Stickland & Murray 2019, "BERT and PALs": towards the end of training, small tasks should be sampled about as often
    as large ones.
    """

    kind: Literal["annealed"] = "annealed"
    fall: Annotated[float, Field(ge=0, le=1)] = 0.8
    """By how much the power falls from 1, from the first epoch to the last."""

    def alpha(self, epoch: int, n_epochs: int) -> float:
        """Return the power of a task's size that its probability is proportional to, in an epoch counted from 0."""
        return 1.0 - self.fall * epoch / max(n_epochs - 1, 1)


class RoundRobin(Spec):
    """The tasks take turns, a batch each, in their order; small tasks are seen more often than in proportion."""

    kind: Literal["round_robin"] = "round_robin"


class JointSteps(Spec):
    """Every step trains all tasks, on a batch of each; their losses are weighted and added."""

    kind: Literal["joint"] = "joint"


TaskSampling = Annotated[
    ProportionalSampling | TemperedSampling | AnnealedSampling | RoundRobin | JointSteps, Field(discriminator="kind")
]


class HeadsSpec(Spec):
    """The layers between the encoder and the tasks' outputs.

    All tasks share `n_common_layers` linear layers of the encoder's width. Then each task has `n_own_layers` of its
    own, including the output layer. `dropout` applies before the first of these layers, where the model's own head has
    its dropout; None keeps the model's own probability. `activation` follows each linear layer except the outputs:
    minBERT multi-task names none for its "simple linear layers", so that a stack is one linear map with another
    parametrisation; BERT's own pooler has tanh.
    """

    n_common_layers: Annotated[int, Field(ge=0)] = 1
    n_own_layers: Count = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = 0.3
    activation: Literal["none", "tanh", "relu"] = "none"


class TaskSpec(Spec):
    """One task: the encoding of its texts, its own layers, its loss and its metric.

    `pairs: apart` encodes the two texts of a pair separately and gives both vectors to the output layer (a
    bi-encoder); `together` joins them to one input (a cross-encoder). `n_layers` replaces `heads.n_own_layers` for this
    task. `weight` multiplies the task's loss, in gradients and in the reported training loss. The default `metric` is
    accuracy for classes and Pearson's correlation for scores; the default `loss` is cross-entropy for classes and
    squared error for scores. `loss: binary_cross_entropy` is one output for two classes.
    """

    pairs: Literal["together", "apart"] = "together"
    n_layers: Count | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    metric: MetricName | None = None
    loss: Literal["cross_entropy", "binary_cross_entropy", "squared_error"] | None = None


class TasksSpec(Spec):
    """The tasks of a multi-task recipe.

    `each` holds the settings of single tasks, by name; other tasks have the defaults. `overall` combines the tasks'
    scores: their `mean`, the `normalised_mean` (correlations are scaled to [0, 1] first; minBERT multi-task, section
    5.2), or the `lowest` one after that scaling. `steps_per_epoch` is the recipe's setting of that name, in an older
    place; without either an epoch has as many steps as the tasks have batches.
    """

    sampling: TaskSampling = ProportionalSampling()
    """In which order batches of the tasks come."""
    heads: HeadsSpec = HeadsSpec()
    """The layers between the encoder and the outputs."""
    each: dict[Name, TaskSpec] = Field(default={})
    overall: Literal["normalised_mean", "mean", "lowest"] = "normalised_mean"
    steps_per_epoch: Count | None = None

    def of(self, task: str) -> TaskSpec:
        """Return the settings of a task."""
        return self.each.get(task, TaskSpec())

    def overall_score(self, scores: Mapping[str, float], metrics: Mapping[str, str]) -> float:
        """Combine the tasks' scores; `metrics` names the metric of each."""
        if self.overall == "mean":
            return fmean(scores.values())
        scaled = [(score + 1) / 2 if metrics[task] in CORRELATIONS else score for task, score in scores.items()]
        return min(scaled) if self.overall == "lowest" else fmean(scaled)
