"""Which texts each step of an epoch learns from."""

import math
from collections.abc import Iterator, Mapping

from finetune_alf.recipe import Recipe
from finetune_alf.train.batches import shuffled_batches

Step = list[tuple[str, list[int]]]
"""Parts of one step: a task, and rows of its training split."""


def n_steps_an_epoch(recipe: Recipe, n_texts: Mapping[str, int]) -> int:
    """Return how many steps an epoch has; `n_texts` are the training texts of each task."""
    return sum(math.ceil(n / recipe.batch) for n in n_texts.values())


def steps_of_epoch(recipe: Recipe, n_texts: Mapping[str, int], seed: int, epoch: int) -> Iterator[Step]:
    """Yield the steps of an epoch: every text once."""
    for task, n in n_texts.items():
        for rows in shuffled_batches(n, recipe.batch, seed, epoch):
            yield [(task, rows)]
