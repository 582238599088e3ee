"""Texts in steps: the order in which a fit sees them, and in which an evaluation does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.objective import CLASSES, Objective


@dataclass(frozen=True)
class Labelled:
    """A split, tokenised, with its classes or scores.

    Where a row is two texts that are encoded apart, `n_parts` is 2, and the table holds all first texts, then all
    second ones.
    """

    table: TokenTable
    labels: torch.Tensor  # (n,), of the objective's type
    objective: Objective = CLASSES
    n_parts: int = 1

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> torch.Tensor:
        """The tokens of each row, (n,), on the CPU."""
        return self.table.lengths.view(self.n_parts, -1).sum(0)

    def places(self, rows: Sequence[int]) -> list[int]:
        """Return where these rows' texts are in the table: all first ones, then all second ones."""
        return [part * len(self) + row for part in range(self.n_parts) for row in rows]


def shuffled_batches(n_texts: int, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch; every text once, in an order of its own for each epoch."""
    generator = torch.Generator().manual_seed(child_seed(seed, "order", epoch))
    order = torch.randperm(n_texts, generator=generator).tolist()
    for start in range(0, n_texts, batch):
        yield order[start : start + batch]


def batches_by_length(lengths: torch.Tensor, batch: int) -> list[list[int]]:
    """Return rows of similar length together, for evaluation, where the order does not matter."""
    order: list[int] = lengths.argsort(stable=True).tolist()
    return [order[start : start + batch] for start in range(0, len(order), batch)]
