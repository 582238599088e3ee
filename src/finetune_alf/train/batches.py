"""Texts in steps: the order in which a fit sees them, and in which an evaluation does."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.table import TokenTable


@dataclass(frozen=True)
class Labelled:
    """A split, tokenised, with its classes."""

    table: TokenTable
    labels: torch.Tensor  # (n,) int64

    def __len__(self) -> int:
        return len(self.labels)


def shuffled_batches(n_texts: int, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch; every text once, in an order of its own for each epoch."""
    generator = torch.Generator().manual_seed(child_seed(seed, "order", epoch))
    order = torch.randperm(n_texts, generator=generator).tolist()
    for start in range(0, n_texts, batch):
        yield order[start : start + batch]


def batches_by_length(table: TokenTable, batch: int) -> list[list[int]]:
    """Return rows of similar length together, for evaluation, where the order does not matter."""
    order: list[int] = table.lengths.argsort(stable=True).tolist()
    return [order[start : start + batch] for start in range(0, len(order), batch)]
