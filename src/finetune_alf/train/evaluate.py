"""Evaluation of a model on a split: its loss and its predictions."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from finetune_alf.compute import Precision
from finetune_alf.compute.autocast import autocast
from finetune_alf.train.batches import TokenizedSplit, batches_by_length
from finetune_alf.train.forward.device_copy import to_device
from finetune_alf.train.forward.fused import FusedForward, Weights
from finetune_alf.train.forward.packed import FrozenFeatures
from finetune_alf.train.forward.protocol import Forward, Inputs
from finetune_alf.train.objective import CROSS_ENTROPY, Objective
from finetune_alf.train.result import Labels

EVALUATION_BATCH = 64
"""Texts in a batch, unless there is a micro-batch, which is smaller: large enough to use the whole machine."""

MAX_KEPT_TOKENS = 1 << 22
"""Batches of a split of at most so many tokens are kept for later epochs and fits: some 100 MB."""


@dataclass(frozen=True)
class Evaluation:
    """The mean loss a text, and the labels and predictions in the split's own order."""

    loss: float
    labels: Labels
    predictions: Labels


@torch.inference_mode()
def evaluate(
    forward: Forward,
    split: TokenizedSplit,
    precision: Precision,
    *,
    batch: int = EVALUATION_BATCH,
    features: FrozenFeatures | None = None,
) -> Evaluation:
    """Evaluate a model, which must be in evaluation mode, on a split."""
    outputs = outputs_of(forward, split, precision, batch=batch, features=features)
    loss = split.objective.losses(outputs, split.labels).mean().item()
    labels, predictions = (split.objective.labels_of(each) for each in (split.labels, split.objective.predict(outputs)))
    return Evaluation(loss, labels, predictions)


@torch.inference_mode()
def outputs_of(
    forward: Forward, split: TokenizedSplit, precision: Precision, *, batch: int, features: FrozenFeatures | None
) -> torch.Tensor:
    """Return the outputs for a split in its own order, (n, outputs), in fp32."""
    outputs = torch.empty(0)
    with autocast(split.labels.device, precision):  # around all batches, so that weights are cast to bf16 once
        for rows, inputs in evaluation_batches(forward, split, batch):
            batch_outputs = forward.logits(split.table, inputs, features).float()  # (rows, outputs)
            if not outputs.numel():
                outputs = batch_outputs.new_empty(len(split), batch_outputs.shape[-1])
            outputs[rows] = batch_outputs
    return outputs


def evaluation_batches(forward: Forward, split: TokenizedSplit, batch: int) -> Iterable[tuple[torch.Tensor, Inputs]]:
    """Return batches of similar length: rows, (rows,) on the device, and prepared inputs.

    Called in inference mode, so that what is kept is for evaluation alone.
    """
    if len(split.table.input_ids) > MAX_KEPT_TOKENS:
        return (one for rows in batches_by_length(split.lengths, batch) for one in _prepared(forward, split, [rows]))
    key = (forward.layout, batch)
    if key not in split.kept_batches:
        split.kept_batches[key] = _prepared(forward, split, batches_by_length(split.lengths, batch))
    kept: list[tuple[torch.Tensor, Inputs]] = split.kept_batches[key]
    return kept


def _prepared(forward: Forward, split: TokenizedSplit, batches: list[list[int]]) -> list[tuple[torch.Tensor, Inputs]]:
    inputs = forward.prepare(split.table, [split.table_rows(rows) for rows in batches])
    index = to_device(torch.tensor([row for rows in batches for row in rows]), split.labels.device)
    return list(zip(torch.split(index, [len(rows) for rows in batches]), inputs, strict=True))


@torch.inference_mode()
def evaluate_fused(
    forward: FusedForward,
    weights: Weights,
    split: TokenizedSplit,
    precision: Precision,
    *,
    batch: int,
    features: FrozenFeatures | None,
) -> list[Evaluation]:
    """Evaluate every member on a split; the model must be in evaluation mode."""
    device = split.labels.device
    rows_of_batches, batch_outputs = [], []
    for rows, inputs in evaluation_batches(forward, split, batch):
        with autocast(device, precision):
            batch_outputs.append(forward.fused(weights, split.table, inputs, features).float())
        rows_of_batches.append(rows)
    order = torch.cat(rows_of_batches)
    outputs = torch.cat(batch_outputs, 1)[:, order.argsort()]  # (K, n, outputs)
    losses = member_losses(outputs, split.labels, split.objective).mean(1).tolist()
    labels, predictions = split.objective.labels_of(split.labels), split.objective.predict(outputs)
    return [
        Evaluation(loss, labels, split.objective.labels_of(own)) for loss, own in zip(losses, predictions, strict=True)
    ]


def member_losses(outputs: torch.Tensor, labels: torch.Tensor, objective: Objective = CROSS_ENTROPY) -> torch.Tensor:
    """Return the loss of each member and text, (K, rows), from outputs (K, rows, n)."""
    flat = objective.losses(outputs.float().flatten(0, 1), torch.cat([labels] * len(outputs)))
    return flat.view(len(outputs), -1)
