"""What a training loop is handed: splits with their objectives, rates, a head, and the way to evaluate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from finetune_alf.compute import Precision
from finetune_alf.encoder.text_heads import Head
from finetune_alf.metrics import ACCURACY, Metric
from finetune_alf.rates import Address
from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.evaluate import Evaluation, evaluate
from finetune_alf.train.forward.protocol import Forward
from finetune_alf.train.frozen_features import FrozenFeaturesCache

SINGLE_TASK = "task"
"""The name of the task of a plain fit, where tasks are keyed by name."""


@dataclass(frozen=True)
class TaskSplits:
    """One task's splits: for training, for evaluation after each epoch, and for the final score (often the same).

    `weight` multiplies the loss where a step has several tasks.
    """

    train: TokenizedSplit
    validation: TokenizedSplit
    scored: TokenizedSplit
    metric: Metric = ACCURACY
    weight: float = 1.0

    @property
    def all(self) -> tuple[TokenizedSplit, TokenizedSplit, TokenizedSplit]:
        """All three splits."""
        return self.train, self.validation, self.scored


EvaluateSplit = Callable[[Forward, TokenizedSplit, Precision, int, FrozenFeaturesCache], Evaluation]
"""Evaluates a model in evaluation mode on a split, in batches of so many texts."""


def evaluate_split(
    forward: Forward, split: TokenizedSplit, precision: Precision, batch: int, features: FrozenFeaturesCache
) -> Evaluation:
    """Evaluate the model's own head on a split."""
    return evaluate(forward, split, precision, batch=batch, features=features.of(split))


@dataclass(frozen=True)
class Parts:
    """The parts of one fit; None is the model's own head."""

    tasks: Mapping[str, TaskSplits]
    rates: Mapping[Address, float]
    head: Head | None = None
    evaluate: EvaluateSplit = evaluate_split
