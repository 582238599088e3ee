"""The cost of a fit at several tasks: that of each task's own fit, in proportion to its batches."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.work import NO_WORK, Work, fit_work
from finetune_alf.rates import HEAD, rate_source, task_head
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.tasks import JointSteps, RoundRobin, TasksSpec


@dataclass(frozen=True)
class TaskLengths:
    """The texts of one task of a fit; a row has one text, or two that are encoded apart."""

    n_rows: int
    n_texts_per_row: int
    lengths: FitLengths


def mixture_work(
    shape: EncoderShape, tasks: Mapping[str, TaskLengths], recipe: Recipe, engine: Engine, n_steps: int
) -> Work:
    """Return the expected work of a fit whose epochs have `n_steps` steps, without early stopping."""
    assert recipe.tasks is not None  # noqa: S101 - the caller's condition
    total, joint = NO_WORK, isinstance(recipe.tasks.sampling, JointSteps)
    n_batches = batches_per_task(
        recipe.tasks, {task: own.n_rows for task, own in tasks.items()}, recipe.epochs, n_steps
    )
    for task, own in tasks.items():
        task_shape = shape if joint else _without_other_heads(shape, task)
        work = fit_work(task_shape, own.lengths, *_single_task(recipe, engine, own))
        share = n_batches[task] / math.ceil(own.n_rows / recipe.batch)
        total += replace(
            work,
            train_flops=share * work.train_flops,
            train_batches=share * work.train_batches,
            train_calls=share * work.train_calls,
            updates=share * work.updates / (len(tasks) if joint else 1),  # a joint step updates the weights once
        )
    return total


def mixture_memory(shape: EncoderShape, tasks: Mapping[str, TaskLengths], recipe: Recipe, engine: Engine) -> int:
    """Return the peak memory of a fit in bytes; the tasks' batches alternate, their frozen features add up."""
    each = [fit_memory(shape, own.lengths, *_single_task(recipe, engine, own)) for own in tasks.values()]
    batch, frozen_features = max(one.batch for one in each), sum(one.frozen_features for one in each)
    return replace(each[0], batch=batch, frozen_features=frozen_features).total


def batches_per_task(tasks: TasksSpec, n_rows: Mapping[str, int], epochs: int, n_steps: int) -> dict[str, float]:
    """Return the mean number of batches of each task in an epoch of `n_steps` steps."""
    sampling = tasks.sampling
    match sampling:
        case JointSteps():
            return {task: float(n_steps) for task in n_rows}
        case RoundRobin():
            return {task: float(len(range(index, n_steps, len(n_rows)))) for index, task in enumerate(n_rows)}
    by_epoch = [_probabilities(n_rows, sampling.alpha(epoch, epochs)) for epoch in range(epochs)]
    return {task: n_steps * fmean(probabilities[task] for probabilities in by_epoch) for task in n_rows}


def _probabilities(n_rows: Mapping[str, int], alpha: float) -> dict[str, float]:
    powers = {task: n**alpha for task, n in n_rows.items()}
    return {task: power / sum(powers.values()) for task, power in powers.items()}


def _single_task(recipe: Recipe, engine: Engine, task: TaskLengths) -> tuple[Recipe, Engine]:
    """Return the recipe and engine for one task only; the texts of a pair encoded apart are in the same batch."""
    n = task.n_texts_per_row
    alone = recipe.model_copy(update={"tasks": None, "steps_per_epoch": None, "batch": recipe.batch * n})
    return alone, replace(engine, micro_batch=engine.micro_batch and engine.micro_batch * n)


def _without_other_heads(shape: EncoderShape, task: str) -> EncoderShape:
    """Leave out the other tasks' heads: a step without them gives them no gradient, and no update."""
    others = [a for a in shape.parameters if rate_source(a) == HEAD and a not in (HEAD, task_head(task))]
    return replace(shape, parameters={a: n for a, n in shape.parameters.items() if a not in others})
