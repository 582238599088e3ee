"""What a model says about a split, and how right it is."""

from dataclasses import dataclass

import torch

from finetune_alf.train.batches import Labelled, batches_by_length
from finetune_alf.train.forward.members import MembersForward, Weights
from finetune_alf.train.forward.packed import Prefix
from finetune_alf.train.forward.protocol import Forward
from finetune_alf.train.objective import CLASSES, Objective
from finetune_alf.train.precision import Precision, arithmetic
from finetune_alf.train.result import Answers

EVALUATION_BATCH = 64
"""Texts at once, where the recipe's micro_batch does not ask for fewer: large enough to fill the machine."""


@dataclass(frozen=True)
class Evaluation:
    """Mean loss a text, the true classes or scores, and those predicted."""

    loss: float
    truth: Answers
    predictions: Answers


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
    outputs = torch.empty(0)
    with arithmetic(device, precision):  # round all batches, so that weights are cast to bf16 once
        for rows in batches_by_length(split.lengths, batch):
            some = forward(split.table, split.places(rows), prefix).float()  # (rows, outputs)
            if not outputs.numel():
                outputs = some.new_empty(len(split), some.shape[-1])
            outputs[rows] = some
    loss = split.objective.losses(outputs, split.labels).mean().item()
    return Evaluation(loss, tuple(split.labels.tolist()), tuple(split.objective.read(outputs).tolist()))


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
    by_rows = batches_by_length(split.lengths, batch)
    answers = []
    for rows in by_rows:
        with arithmetic(device, precision):
            answers.append(forward.together(weights, split.table, split.places(rows), prefix).float())
    order = torch.tensor([row for rows in by_rows for row in rows], device=device)
    outputs = torch.cat(answers, 1)[:, order.argsort()]  # (K, n, outputs)
    losses = losses_of(outputs, split.labels, split.objective).mean(1).tolist()
    truth, said = tuple(split.labels.tolist()), split.objective.read(outputs).tolist()
    return [Evaluation(loss, truth, tuple(predictions)) for loss, predictions in zip(losses, said, strict=True)]


def losses_of(outputs: torch.Tensor, labels: torch.Tensor, objective: Objective = CLASSES) -> torch.Tensor:
    """Return the loss of each member and text, (K, rows), from outputs (K, rows, n)."""
    flat = objective.losses(outputs.float().flatten(0, 1), labels.repeat(len(outputs)))
    return flat.view(len(outputs), -1)
