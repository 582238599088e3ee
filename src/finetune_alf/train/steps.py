"""The steps of an epoch: which task each one trains, and on which texts.

All random draws depend on the seed and the epoch only, so that an epoch's steps are the same whatever came before it.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import torch

from finetune_alf.recipe import Recipe
from finetune_alf.recipe.tasks import JointSteps, ProportionalSampling, RoundRobin
from finetune_alf.seeds import child_seed
from finetune_alf.train.batches import batches_in
from finetune_alf.train.order import Order

Step = list[tuple[str, list[int]]]
"""The batches of one step: a task, and rows of its training split."""


def n_steps_per_epoch(recipe: Recipe, n_texts: Mapping[str, int]) -> int:
    """Return how many steps an epoch has; `n_texts` are the training texts of each task."""
    given = recipe.steps_per_epoch or (recipe.tasks and recipe.tasks.steps_per_epoch)
    if given:
        return given
    n_batches = sum(math.ceil(n / recipe.batch) for n in n_texts.values())
    is_joint = recipe.tasks is not None and isinstance(recipe.tasks.sampling, JointSteps)
    return math.ceil(n_batches / len(n_texts)) if is_joint else n_batches


def steps_of_epoch(recipe: Recipe, orders: Mapping[str, Order], seed: int, epoch: int) -> Iterator[Step]:
    """Yield the steps of an epoch: batches of each task, one pass over its texts after another.

    Without `tasks`, epochs are cut out of one stream of steps: their length does not change its order.
    """
    n_texts = {task: len(order) for task, order in orders.items()}
    if recipe.tasks is None:
        ((task, order),) = orders.items()
        n_steps = n_steps_per_epoch(recipe, n_texts)
        yield from ([(task, rows)] for rows in _cut(order, recipe.batch, seed, epoch * n_steps, n_steps))
        return
    single_task = len(orders) == 1
    batches = {
        task: _batches(order, recipe.batch, seed if single_task else child_seed(seed, "task", task), epoch)
        for task, order in orders.items()
    }
    for tasks in _tasks_of_steps(recipe, n_texts, seed, epoch):
        yield [(task, next(batches[task])) for task in tasks]


def _cut(order: Order, batch: int, seed: int, start: int, n_steps: int) -> Iterator[list[int]]:
    """Yield `n_steps` batches of the stream of passes over the texts, from batch `start` on."""
    n_passed, n_skipped = divmod(start, math.ceil(len(order) / batch))
    passes = (batches_in(order, batch, seed, number) for number in itertools.count(n_passed))
    return itertools.islice(itertools.chain.from_iterable(passes), n_skipped, n_skipped + n_steps)


def _batches(order: Order, batch: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """Yield batches without end: one pass after another over one task's texts."""
    for number in itertools.count():
        yield from batches_in(order, batch, child_seed(seed, "pass", number) if number else seed, epoch)


def _tasks_of_steps(recipe: Recipe, n_texts: Mapping[str, int], seed: int, epoch: int) -> Iterator[Sequence[str]]:
    """Yield the tasks of each step."""
    tasks, n_steps = list(n_texts), n_steps_per_epoch(recipe, n_texts)
    sampling = recipe.tasks.sampling if recipe.tasks else ProportionalSampling()
    match sampling:
        case JointSteps():
            yield from itertools.repeat(tasks, n_steps)
        case RoundRobin():
            yield from ([tasks[step % len(tasks)]] for step in range(n_steps))
        case _:
            alpha = sampling.alpha(epoch, recipe.epochs)
            weights = torch.tensor([float(n) ** alpha for n in n_texts.values()])
            generator = torch.Generator().manual_seed(child_seed(seed, "tasks", epoch))
            drawn: list[int] = torch.multinomial(weights, n_steps, replacement=True, generator=generator).tolist()
            yield from ([tasks[index]] for index in drawn)
