"""Batches as forward passes take them: prepared and copied to the device ahead of the steps of training."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from finetune_alf.train.batches import TokenizedSplit
from finetune_alf.train.forward.device_copy import to_device
from finetune_alf.train.forward.protocol import Forward, Inputs
from finetune_alf.train.parts import TaskSplits
from finetune_alf.train.steps import Step

N_AHEAD = 16
"""Training steps whose batches are prepared together."""


@dataclass(frozen=True)
class Chunk:
    """The texts of a batch that are in one forward pass: all, or a micro-batch."""

    inputs: Inputs
    labels: torch.Tensor  # (rows,) or (rows, classes)


@dataclass(frozen=True)
class PreparedBatch:
    """One task's batch of a training step; `weight` is the sum of the weights of its texts."""

    task: str
    weight: float
    chunks: tuple[Chunk, ...]


def prepared_steps(
    steps: Iterable[Step], tasks: Mapping[str, TaskSplits], forwards: Mapping[str, Forward], micro_batch: int | None
) -> Iterator[list[PreparedBatch]]:
    """Yield the batches of each step, in forward passes of at most `micro_batch` texts."""
    remaining = iter(steps)
    while some := list(itertools.islice(remaining, N_AHEAD)):
        own = {task: [rows for step in some for name, rows in step if name == task] for task in tasks}
        prepared = {
            task: iter(_prepared(task, tasks[task].train, forwards[task], batches, micro_batch))
            for task, batches in own.items()
        }
        for step in some:
            yield [next(prepared[task]) for task, _ in step]


def _prepared(
    task: str, split: TokenizedSplit, forward: Forward, batches: Sequence[list[int]], micro_batch: int | None
) -> list[PreparedBatch]:
    if not batches:
        return []
    cut = [_cut(rows, micro_batch or len(rows)) for rows in batches]
    chunks = [rows for parts in cut for rows in parts]
    inputs = forward.prepare(split.table, [split.table_rows(rows) for rows in chunks])
    index = to_device(torch.tensor([row for rows in chunks for row in rows]), split.labels.device)
    labels = torch.split(split.labels[index], [len(rows) for rows in chunks])
    made = itertools.starmap(Chunk, zip(inputs, labels, strict=True))
    return [
        PreparedBatch(task, split.total_weight(rows), tuple(itertools.islice(made, len(parts))))
        for rows, parts in zip(batches, cut, strict=True)
    ]


def _cut(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
