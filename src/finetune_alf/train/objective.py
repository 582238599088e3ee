"""Objectives: the loss of each text from a head's outputs, and the prediction that the outputs stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it


@dataclass(frozen=True)
class Objective:
    """A loss function and how to read predictions off the outputs.

    `losses` takes outputs (B, n) in fp32 and labels (B,), and returns each text's loss, (B,). `predict` takes outputs
    (..., n) and returns classes or scores, (...). Labels are of dtype `label_dtype`.
    """

    losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    predict: Callable[[torch.Tensor], torch.Tensor]
    label_dtype: torch.dtype


def _cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, labels, reduction="none")


def _binary_cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), labels.to(outputs.dtype), reduction="none")


def _squared_error(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (outputs.squeeze(-1) - labels).square()


CROSS_ENTROPY = Objective(_cross_entropy, lambda outputs: outputs.argmax(-1), torch.int64)
"""One output a class; the loss is in nats."""

BINARY_CROSS_ENTROPY = Objective(_binary_cross_entropy, lambda outputs: (outputs.squeeze(-1) > 0).long(), torch.int64)
"""One output for two classes, positive for the second (minBERT's paraphrase task); the loss is in nats."""

SQUARED_ERROR = Objective(_squared_error, lambda outputs: outputs.squeeze(-1), torch.float32)
"""One output, the score itself; the loss is in the score's unit, squared."""

OBJECTIVES = {
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "squared_error": SQUARED_ERROR,
}


def weighted(objective: Objective, class_weights: Sequence[float], device: torch.device) -> Objective:
    """Return an objective whose loss of a text is multiplied by the weight of its class."""
    weights = torch.tensor(class_weights, device=device)

    def losses(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        each = objective.losses(outputs, labels)
        return each * weights[labels].to(each.dtype)

    return replace(objective, losses=losses)
