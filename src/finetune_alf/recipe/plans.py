"""What a recipe asks of each task of a sample: how it is read, answered, learned and scored."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.errors import InputError
from finetune_alf.metrics import METRICS
from finetune_alf.recipe.recipe import Recipe
from finetune_alf.recipe.tasks import TasksSpec


@dataclass(frozen=True)
class TaskFacts:
    """What one task's sample is: its number of classes, 0 for scores, and whether a row is a pair of texts."""

    n_classes: int
    has_pairs: bool

    @property
    def kind(self) -> str:
        """What the labels are, and how they are learned unless the recipe says otherwise."""
        return "classes" if self.n_classes else "score"


@dataclass(frozen=True)
class HeadShape:
    """One task's own head: its outputs, its layers, the output layer among them, and the texts that a row has."""

    n_outputs: int
    n_layers: int = 1
    n_parts: int = 1


@dataclass(frozen=True)
class TaskPlan:
    """One task of a fit; `loss` names an objective of `train/objective.py`, `weight` is the loss's."""

    loss: str
    metric: str
    weight: float
    shape: HeadShape


def task_plans(recipe: Recipe, facts: Mapping[str, TaskFacts], metric: str) -> dict[str, TaskPlan]:
    """Return the plan of each task; without `tasks` in the recipe there is one, scored by the metric that is given.

    Raises InputError where the recipe names a task that the sample does not have, or one cannot be done as it says.
    """
    if recipe.tasks is not None:
        _check_names(recipe.tasks, facts)
        return {task: _plan(f"recipe.tasks.each.{task}", recipe.tasks, task, own) for task, own in facts.items()}
    if len(facts) > 1:
        raise InputError(
            f"recipe.tasks: must be given for a sample of several tasks ({', '.join(facts)}), but is missing. "
            "Add it, empty (`tasks: {}`) for the defaults."
        )
    return {task: TaskPlan(own.kind, metric, 1.0, HeadShape(own.n_classes or 1)) for task, own in facts.items()}


def _check_names(tasks: TasksSpec, facts: Mapping[str, TaskFacts]) -> None:
    for task in tasks.each:
        if task not in facts:
            raise InputError(
                f"recipe.tasks.each: must name tasks of the sample ({', '.join(facts)}), but got {task}. "
                "Write it as it stands there."
            )


def _plan(where: str, tasks: TasksSpec, task: str, facts: TaskFacts) -> TaskPlan:
    spec = tasks.of(task)
    loss, metric = spec.loss or facts.kind, spec.metric or ("accuracy" if facts.n_classes else "pearson")
    suits = {"classes": facts.n_classes > 0, "binary": facts.n_classes == 2, "score": facts.n_classes == 0}
    if not suits[loss]:
        labels = f"{facts.n_classes} classes" if facts.n_classes else "scores"
        raise InputError(f"{where}.loss: must suit labels that are {labels}, but got {loss}. Leave it out.")
    if METRICS[metric].of != facts.kind:
        raise InputError(f"{where}.metric: must be one for {facts.kind}, but got {metric}. Leave it out.")
    if spec.pairs == "apart" and not facts.has_pairs:
        raise InputError(f"{where}.pairs: must be together where a row is one text, but got apart. Leave it out.")
    shape = HeadShape(
        n_outputs=facts.n_classes if loss == "classes" else 1,
        n_layers=spec.n_layers or tasks.heads.n_own_layers,
        n_parts=2 if spec.pairs == "apart" else 1,
    )
    return TaskPlan(loss, metric, spec.weight, shape)
