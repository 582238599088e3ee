"""Batches: the order of texts in training and in evaluation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from finetune_alf.recipe.classes import ClassSampling
from finetune_alf.seeds import child_seed
from finetune_alf.train.forward.table import TokenTable
from finetune_alf.train.objective import CROSS_ENTROPY, Objective, weighted
from finetune_alf.train.order import BalancedOrder, Order, ShuffledOrder


@dataclass(frozen=True)
class TokenizedSplit:
    """A tokenised split with its labels: classes, scores, or the membership of each class.

    With `n_texts_per_row` = 2 the texts of a pair are encoded apart, and the table holds all first texts, then all
    second ones. `class_weights` are in the objective as well.
    """

    table: TokenTable
    labels: torch.Tensor  # (n,) or (n, classes), of the objective's dtype
    objective: Objective = CROSS_ENTROPY
    n_texts_per_row: int = 1
    class_weights: tuple[float, ...] | None = None
    class_sampling: ClassSampling = "natural"

    def __len__(self) -> int:
        return len(self.labels)

    def with_classes(self, weights: tuple[float, ...] | None, sampling: ClassSampling) -> "TokenizedSplit":
        """Return the split with weights of the classes in its losses, and another order in training."""
        objective = self.objective if weights is None else weighted(self.objective, weights, self.labels.device)
        return replace(self, objective=objective, class_weights=weights, class_sampling=sampling)

    @cached_property
    def order(self) -> Order:
        """The order of the rows in training."""
        return BalancedOrder(self.labels.tolist()) if self.class_sampling == "balanced" else ShuffledOrder(len(self))

    def total_weight(self, rows: Sequence[int]) -> float:
        """Return the sum of the weights of these rows, by which the sum of their losses is divided."""
        return len(rows) if self._weights is None else sum(self._weights[row] for row in rows)

    @cached_property
    def _weights(self) -> list[float] | None:
        if self.class_weights is None:
            return None
        return [self.class_weights[label] for label in self.labels.tolist()]

    @cached_property
    def kept_batches(self) -> dict[tuple[str, int], Any]:
        """Batches prepared for evaluation, for later epochs and fits (`train/evaluate.py`)."""
        return {}

    @property
    def lengths(self) -> torch.Tensor:
        """The number of tokens of each row, (n,), on the CPU."""
        return self.table.lengths.view(self.n_texts_per_row, -1).sum(0)

    def table_rows(self, rows: Sequence[int]) -> list[int]:
        """Return the rows of the table for these rows of the split: all first texts, then all second ones."""
        return [part * len(self) + row for part in range(self.n_texts_per_row) for row in rows]


def shuffled_batches(n_texts: int, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch: every text once, shuffled anew in each epoch."""
    return batches_in(ShuffledOrder(n_texts), batch, seed, epoch)


def batches_in(order: Order, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield the rows of each step of an epoch, drawn anew in each epoch."""
    rows = order.draw(torch.Generator().manual_seed(child_seed(seed, "order", epoch)))
    for start in range(0, len(rows), batch):
        yield rows[start : start + batch]


def batches_by_length(lengths: torch.Tensor, batch: int) -> list[list[int]]:
    """Return batches of rows of similar length, for evaluation, where the order does not matter."""
    order: list[int] = lengths.argsort(stable=True).tolist()
    return [order[start : start + batch] for start in range(0, len(order), batch)]
