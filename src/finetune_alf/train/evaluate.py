"""What a model says about a split, and how right it is."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.train.batches import Labelled, batches_by_length, padded
from finetune_alf.train.precision import Precision, arithmetic

EVALUATION_BATCH = 64
"""Texts at once, where the recipe's micro_batch does not ask for fewer: large enough to fill the machine."""


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy in nats a text, the true classes, and those predicted."""

    loss: float
    truth: tuple[int, ...]
    predictions: tuple[int, ...]


@torch.inference_mode()
def evaluate(
    model: torch.nn.Module, split: Labelled, precision: Precision, micro_batch: int | None = None
) -> Evaluation:
    """Run a model over a split without dropout. Returns what it says, in the split's own order."""
    model.eval()
    device = split.labels.device
    logits = torch.empty(0)
    for rows in batches_by_length(split.tokens, micro_batch or EVALUATION_BATCH):
        with arithmetic(device, precision):
            some = model(**padded(split.tokens, rows, device)).logits.float()  # (rows, classes)
        if not logits.numel():
            logits = some.new_empty(len(split), some.shape[-1])
        logits[rows] = some
    loss = F.cross_entropy(logits, split.labels).item()
    return Evaluation(loss, tuple(split.labels.tolist()), tuple(logits.argmax(-1).tolist()))
