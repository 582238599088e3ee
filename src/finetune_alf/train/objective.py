"""What a head's outputs mean: the loss of each text, and what a model says about it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it


@dataclass(frozen=True)
class Objective:
    """One kind of task.

    `losses` takes outputs (B, n) in fp32 and targets (B,), and gives each text's loss, (B,). `read` takes outputs
    (..., n) and gives the class or the score that they say, (...). Targets are of type `target`.
    """

    losses: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    read: Callable[[torch.Tensor], torch.Tensor]
    target: torch.dtype


def _cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, targets, reduction="none")


def _binary_cross_entropy(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(outputs.squeeze(-1), targets.to(outputs.dtype), reduction="none")


def _squared_error(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.squeeze(-1) - targets).square()


CLASSES = Objective(_cross_entropy, lambda outputs: outputs.argmax(-1), torch.int64)
"""One output a class; cross-entropy in nats."""

BINARY = Objective(_binary_cross_entropy, lambda outputs: (outputs.squeeze(-1) > 0).long(), torch.int64)
"""One output for two classes, positive for the second; binary cross-entropy in nats (minBERT's paraphrase task)."""

SCORE = Objective(_squared_error, lambda outputs: outputs.squeeze(-1), torch.float32)
"""One output, the score itself; squared error in the score's unit."""

OBJECTIVES = {"classes": CLASSES, "binary": BINARY, "score": SCORE}
