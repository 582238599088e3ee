"""Objectives: the loss of each text from a head's outputs, and the prediction that the outputs stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.metric_names import Label
from finetune_alf.train.result import Labels


def _as_they_are(labels: Sequence[Any], n_outputs: int) -> Sequence[Any]:
    return labels


def _numbers(labels: torch.Tensor) -> Labels:
    return tuple(labels.tolist())


@dataclass(frozen=True)
class Objective:
    """A loss function and how to read predictions off the outputs.

    `losses` takes outputs (B, n) in fp32 and labels (B,), and returns each text's loss, (B,). `predict` takes outputs
    (..., n) and returns classes or scores, (...). Labels are of dtype `label_dtype`. Those of sets of classes are
    (B, n), and so are predictions: `rows` makes them of the labels of a sample, and `labels_of` turns them back.
    """

    losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    predict: Callable[[torch.Tensor], torch.Tensor]
    label_dtype: torch.dtype
    rows: Callable[[Sequence[Any], int], Sequence[Any]] = _as_they_are
    labels_of: Callable[[torch.Tensor], Labels] = _numbers

    def labels_tensor(self, labels: Sequence[Label], n_outputs: int, device: torch.device) -> torch.Tensor:
        """Return the labels of a sample as `losses` takes them, for a head of so many outputs."""
        return torch.tensor(self.rows(labels, n_outputs), dtype=self.label_dtype, device=device)


def _cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, labels, reduction="none")


def _binary_cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), labels.to(outputs.dtype), reduction="none")


def _mean_binary_cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs, labels.to(outputs.dtype), reduction="none").mean(-1)


def _membership(labels: Sequence[Any], n_outputs: int) -> Sequence[Any]:
    return [[float(index in own) for index in range(n_outputs)] for own in labels]


def _sets(labels: torch.Tensor) -> Labels:
    return tuple(tuple(index for index, is_in in enumerate(row) if is_in) for row in labels.tolist())


def _squared_error(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (outputs.squeeze(-1) - labels).square()


CROSS_ENTROPY = Objective(_cross_entropy, lambda outputs: outputs.argmax(-1), torch.int64)
"""One output a class; the loss is in nats."""

BINARY_CROSS_ENTROPY = Objective(_binary_cross_entropy, lambda outputs: (outputs.squeeze(-1) > 0).long(), torch.int64)
"""One output for two classes, positive for the second (minBERT's paraphrase task); the loss is in nats."""

MEAN_BINARY_CROSS_ENTROPY = Objective(
    _mean_binary_cross_entropy, lambda outputs: outputs > 0, torch.float32, _membership, _sets
)
"""One output a class, each class by itself, positive where a text has it; the loss is in nats, a mean over classes."""

SQUARED_ERROR = Objective(_squared_error, lambda outputs: outputs.squeeze(-1), torch.float32)
"""One output, the score itself; the loss is in the score's unit, squared."""

OBJECTIVES = {
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "mean_binary_cross_entropy": MEAN_BINARY_CROSS_ENTROPY,
    "squared_error": SQUARED_ERROR,
}


def weighted(objective: Objective, class_weights: Sequence[float], device: torch.device) -> Objective:
    """Return an objective whose loss of a text is multiplied by the weight of its class."""
    weights = torch.tensor(class_weights, device=device)

    def losses(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        each = objective.losses(outputs, labels)
        return each * weights[labels].to(each.dtype)

    return replace(objective, losses=losses)
