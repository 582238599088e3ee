"""TaskForward: a forward pass whose outputs are those of one task's head."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import torch

from finetune_alf.encoder.heads import TaskHeads, task_heads_of
from finetune_alf.train.forward.packed import Prefix
from finetune_alf.train.forward.protocol import Forward
from finetune_alf.train.forward.table import TokenTable


class TaskForward:
    """Another forward pass, asked for one task. It is as exact as that one."""

    def __init__(self, forward: Forward, heads: TaskHeads, task: str) -> None:
        self._forward, self._heads, self._task = forward, heads, task

    def __call__(self, table: TokenTable, rows: Sequence[int], prefix: Prefix | None = None) -> torch.Tensor:
        """Return the task's outputs, (rows, outputs); a pair that is encoded apart takes two of these rows."""
        self._heads.task = self._task
        return self._forward(table, rows, prefix)

    def prefix(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> Prefix | None:
        """Return what the layers below `level` make of a split, the same for every task."""
        return self._forward.prefix(table, level, batches)

    def cut(self, tables: Iterable[TokenTable]) -> AbstractContextManager[None]:
        """Hold the embedding table to the words of these splits for the length of a block."""
        return self._forward.cut(tables)


def forwards_of(forward: Forward, model: torch.nn.Module, tasks: Iterable[str]) -> Mapping[str, Forward]:
    """Return each task's forward pass: the one given, where the model has one head for whatever it is asked."""
    heads = task_heads_of(model)
    return {task: TaskForward(forward, heads, task) if heads else forward for task in tasks}
