"""What a model says about a split, and how right it is."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it

from finetune_alf.train.batches import Labelled, batches_by_length
from finetune_alf.train.forward.members import MembersForward, Weights
from finetune_alf.train.forward.packed import Prefix
from finetune_alf.train.forward.protocol import Forward
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
    forward: Forward,
    split: Labelled,
    precision: Precision,
    *,
    batch: int = EVALUATION_BATCH,
    prefix: Prefix | None = None,
) -> Evaluation:
    """Run a model, set to evaluation, over a split. Returns what it says, in the split's own order."""
    device = split.labels.device
    logits = torch.empty(0)
    for rows in batches_by_length(split.table, batch):
        with arithmetic(device, precision):
            some = forward(split.table, rows, prefix).float()  # (rows, classes)
        if not logits.numel():
            logits = some.new_empty(len(split), some.shape[-1])
        logits[rows] = some
    loss = F.cross_entropy(logits, split.labels).item()
    return Evaluation(loss, tuple(split.labels.tolist()), tuple(logits.argmax(-1).tolist()))


@torch.inference_mode()
def evaluate_together(
    forward: MembersForward,
    weights: Weights,
    split: Labelled,
    precision: Precision,
    *,
    batch: int,
    prefix: Prefix | None,
) -> list[Evaluation]:
    """Run every member, the model set to evaluation, over a split: what `evaluate` returns, for each of them."""
    device = split.labels.device
    by_rows = batches_by_length(split.table, batch)
    answers = []
    for rows in by_rows:
        with arithmetic(device, precision):
            answers.append(forward.together(weights, split.table, rows, prefix).float())  # (K, rows, classes)
    order = torch.tensor([row for rows in by_rows for row in rows], device=device)
    logits = torch.cat(answers, 1)[:, order.argsort()]  # (K, n, classes)
    losses, truth = losses_of(logits, split.labels).mean(1).tolist(), tuple(split.labels.tolist())
    pairs = zip(losses, logits.argmax(-1).tolist(), strict=True)
    return [Evaluation(loss, truth, tuple(predictions)) for loss, predictions in pairs]


def losses_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each member and text, (K, rows), from logits (K, rows, classes)."""
    n_members = len(logits)
    flat = F.cross_entropy(logits.float().flatten(0, 1), labels.repeat(n_members), reduction="none")
    return flat.view(n_members, -1)
