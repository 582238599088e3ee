"""A fit at several tasks: the fits at each of them alone, as much of each as its turns make up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from finetune_alf.cost.memory import fit_memory
from finetune_alf.cost.shape import Engine, FitLengths, Shape
from finetune_alf.cost.work import NOTHING, Work, fit_work
from finetune_alf.rates import HEAD, rate_source, task_head
from finetune_alf.recipe import Recipe
from finetune_alf.recipe.tasks import JointSteps, RoundRobin, TasksSpec


@dataclass(frozen=True)
class Part:
    """One task of a fit: its rows, and the lengths of its texts, of which `n_parts` make a row."""

    n_rows: int
    n_parts: int
    lengths: FitLengths


def mixture_work(shape: Shape, parts: Mapping[str, Part], recipe: Recipe, engine: Engine, n_steps: int) -> Work:
    """Return the work that is to be expected of a fit whose epochs have `n_steps` steps, early stopping left aside."""
    assert recipe.tasks is not None  # noqa: S101 - the caller's condition
    total, joint = NOTHING, isinstance(recipe.tasks.sampling, JointSteps)
    turns = turns_of(recipe.tasks, {task: part.n_rows for task, part in parts.items()}, recipe.epochs, n_steps)
    for task, part in parts.items():
        own = fit_work(shape if joint else _with_one_head(shape, task), part.lengths, _alone(recipe, part), engine)
        share = turns[task] / math.ceil(part.n_rows / recipe.batch)
        total += replace(
            own,
            train_flops=share * own.train_flops,
            train_batches=share * own.train_batches,
            train_calls=share * own.train_calls,
            updates=share * own.updates / (len(parts) if joint else 1),  # a joint step updates the weights once
        )
    return total


def mixture_memory(shape: Shape, parts: Mapping[str, Part], recipe: Recipe, engine: Engine) -> int:
    """Return the bytes of a fit at its fullest: batches take turns, what is kept of frozen layers does not."""
    each = [fit_memory(shape, part.lengths, _alone(recipe, part), engine) for part in parts.values()]
    batch, prefixes = max(one.batch for one in each), sum(one.prefixes for one in each)
    return replace(each[0], batch=batch, prefixes=prefixes).total


def turns_of(tasks: TasksSpec, n_rows: Mapping[str, int], epochs: int, n_steps: int) -> dict[str, float]:
    """Return how many batches of each task an epoch has on average, where it has `n_steps` steps."""
    sampling = tasks.sampling
    match sampling:
        case JointSteps():
            return {task: float(n_steps) for task in n_rows}
        case RoundRobin():
            return {task: float(len(range(place, n_steps, len(n_rows)))) for place, task in enumerate(n_rows)}
    chances = [_chances(n_rows, sampling.alpha(epoch, epochs)) for epoch in range(epochs)]
    return {task: n_steps * fmean(own[task] for own in chances) for task in n_rows}


def _chances(n_rows: Mapping[str, int], alpha: float) -> dict[str, float]:
    powers = {task: n**alpha for task, n in n_rows.items()}
    return {task: power / sum(powers.values()) for task, power in powers.items()}


def _alone(recipe: Recipe, part: Part) -> Recipe:
    """Return the recipe for the task by itself; texts of a pair that are encoded apart go through at once."""
    micro_batch = recipe.micro_batch and recipe.micro_batch * part.n_parts
    return recipe.model_copy(update={"tasks": None, "batch": recipe.batch * part.n_parts, "micro_batch": micro_batch})


def _with_one_head(shape: Shape, task: str) -> Shape:
    """Leave out the other tasks' heads: a step that does not ask them gives them no gradient, and no update."""
    others = [a for a in shape.parameters if rate_source(a) == HEAD and a not in (HEAD, task_head(task))]
    return replace(shape, parameters={a: n for a, n in shape.parameters.items() if a not in others})
