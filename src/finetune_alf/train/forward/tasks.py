"""TaskForward: a forward pass that returns the outputs of one task's head."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import torch

from finetune_alf.encoder.heads import TaskHeads, task_heads_of
from finetune_alf.train.forward.packed import FrozenFeatures
from finetune_alf.train.forward.protocol import Forward, Inputs
from finetune_alf.train.forward.table import TokenTable


class TaskForward:
    """Wrap another forward pass and select one task's head; as exact as the wrapped one."""

    def __init__(self, forward: Forward, heads: TaskHeads, task: str) -> None:
        self._forward, self._heads, self._task = forward, heads, task

    @property
    def layout(self) -> str:
        """How the wrapped forward pass prepares batches."""
        return self._forward.layout

    def prepare(self, table: TokenTable, batches: Sequence[Sequence[int]]) -> Sequence[Inputs]:
        """Return the inputs of batches of rows, the same for every task."""
        return self._forward.prepare(table, batches)

    def logits(self, table: TokenTable, inputs: Inputs, features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the task's outputs, (rows, outputs)."""
        self._heads.task = self._task
        return self._forward.logits(table, inputs, features)

    def __call__(self, table: TokenTable, rows: Sequence[int], features: FrozenFeatures | None = None) -> torch.Tensor:
        """Return the task's outputs, (rows, outputs); the texts of a pair encoded apart are two rows of the table."""
        return self.logits(table, self.prepare(table, [rows])[0], features)

    def last_hidden_state(self, table: TokenTable) -> torch.Tensor:
        """Return the top layer's output for every token of a table, the same for every task."""
        return self._forward.last_hidden_state(table)

    def frozen_features(self, table: TokenTable, level: int, batches: Sequence[Sequence[int]]) -> FrozenFeatures | None:
        """Return the output of the layers below `level` for a split, the same for every task."""
        return self._forward.frozen_features(table, level, batches)

    def restrict_vocabulary(self, tables: Iterable[TokenTable]) -> AbstractContextManager[None]:
        """Restrict the word embeddings to the words of these splits inside a `with` block."""
        return self._forward.restrict_vocabulary(tables)


def forwards_of(forward: Forward, model: torch.nn.Module, tasks: Iterable[str]) -> Mapping[str, Forward]:
    """Return each task's forward pass: `forward` itself where the model has a single head."""
    heads = task_heads_of(model)
    return {task: TaskForward(forward, heads, task) if heads else forward for task in tasks}
