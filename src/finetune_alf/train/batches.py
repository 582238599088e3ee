"""Batches: the order of texts in training and in evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.objective import CROSS_ENTROPY, Objective


@dataclass(frozen=True)
class TokenizedSplit:
    """A tokenised split with its labels: classes or scores.

    With `n_texts_per_row` = 2 the texts of a pair are encoded apart, and the table holds all first texts, then all
    second ones.
    """

    table: TokenTable
    labels: torch.Tensor  # (n,), of the objective's dtype
    objective: Objective = CROSS_ENTROPY
    n_texts_per_row: int = 1

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> torch.Tensor:
        """The number of tokens of each row, (n,), on the CPU."""
        return self.table.lengths.view(self.n_texts_per_row, -1).sum(0)

    def table_rows(self, rows: Sequence[int]) -> list[int]:
        """Return the rows of the table for these rows of the split: all first texts, then all second ones."""
        return [part * len(self) + row for part in range(self.n_texts_per_row) for row in rows]


def shuffled_batches(n_texts: int, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch: every text once, shuffled anew in each epoch."""
    generator = torch.Generator().manual_seed(child_seed(seed, "order", epoch))
    order = torch.randperm(n_texts, generator=generator).tolist()
    for start in range(0, n_texts, batch):
        yield order[start : start + batch]


def batches_by_length(lengths: torch.Tensor, batch: int) -> list[list[int]]:
    """Return batches of rows of similar length, for evaluation, where the order does not matter."""
    order: list[int] = lengths.argsort(stable=True).tolist()
    return [order[start : start + batch] for start in range(0, len(order), batch)]
