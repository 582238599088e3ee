"""Task plans: the encoding, head, loss and metric of each task, from a recipe and a sample."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.errors import InputError
from finetune_alf.metric_names import LABELS, PROBLEM_TYPES, ProblemType
from finetune_alf.metrics import Metric, sample_metric
from finetune_alf.recipe.classes import Classes
from finetune_alf.recipe.linear import AnyRecipe
from finetune_alf.recipe.recipe import Recipe
from finetune_alf.recipe.tasks import LOSSES, TasksSpec

DEFAULT_LOSS: Mapping[ProblemType, str] = {
    "classification": "cross_entropy",
    "multi_label": "mean_binary_cross_entropy",
    "regression": "squared_error",
}
DEFAULT_METRIC: Mapping[ProblemType, str] = {
    "classification": "accuracy",
    "multi_label": "micro_f1",
    "regression": "pearson",
}


@dataclass(frozen=True)
class TaskInfo:
    """One task's sample: its training texts by class, none for scores, and what its rows are.

    A row can be a pair of texts, and it can have several classes.
    """

    classes: Classes
    has_pairs: bool
    can_have_several: bool = False

    @property
    def n_classes(self) -> int:
        """The number of classes; 0 for scores."""
        return len(self.classes.counts)

    @property
    def problem_type(self) -> ProblemType:
        """What the labels are."""
        if self.can_have_several:
            return "multi_label"
        return "classification" if self.n_classes else "regression"


@dataclass(frozen=True)
class HeadShape:
    """One task's own head: its outputs, its layers including the output layer, and how many texts of a row it reads."""

    n_outputs: int
    n_layers: int = 1
    n_texts_per_row: int = 1


@dataclass(frozen=True)
class TaskPlan:
    """One task of a fit; `loss` names an objective of `train/objective.py`, `weight` multiplies the loss.

    `class_weights` are in the order of the classes.
    """

    loss: str
    metric: Metric
    weight: float
    shape: HeadShape
    class_weights: tuple[float, ...] | None = None


def task_plans(recipe: AnyRecipe, tasks: Mapping[str, TaskInfo], metric: str) -> dict[str, TaskPlan]:
    """Return the plan of each task; a recipe without `tasks` has one, whose metric is `metric`.

    Raises InputError where the recipe names a task that the sample does not have, or its settings do not suit a task.
    """
    if isinstance(recipe, Recipe) and recipe.tasks is not None:
        _check_names(recipe.tasks, tasks)
        return {task: _plan(f"recipe.tasks.each.{task}", recipe.tasks, task, info) for task, info in tasks.items()}
    if len(tasks) > 1:
        raise InputError(
            f"recipe.tasks: must be given for a sample of several tasks ({', '.join(tasks)}), but is missing. "
            "Add it, empty (`tasks: {}`) for the defaults."
        )
    ((_, only),) = tasks.items()
    if getattr(recipe, "objective", None) and only.problem_type != "classification":
        labels = LABELS[only.problem_type]
        raise InputError(
            f"recipe.objective: must be absent where labels are {labels}, but got contrastive. Leave it out."
        )
    return {
        task: TaskPlan(
            DEFAULT_LOSS[info.problem_type],
            sample_metric(metric, info.n_classes),
            1.0,
            HeadShape(info.n_classes or 1),
            _class_weights(recipe, info),
        )
        for task, info in tasks.items()
    }


def _class_weights(recipe: AnyRecipe, info: TaskInfo) -> tuple[float, ...] | None:
    given, classes = recipe.loss_weights, info.classes
    field = "class_weights" if given else "class_sampling"
    is_balanced = given is not None or getattr(recipe, "class_sampling", "natural") == "balanced"
    if is_balanced and info.problem_type != "classification":
        labels = LABELS[info.problem_type]
        raise InputError(f"recipe.{field}: must be absent where labels are {labels}, but got balanced. Leave it out.")
    if given is None:
        return None
    if unknown := classes.unknown(given):
        raise InputError(
            f"recipe.class_weights: must name classes of the sample ({', '.join(map(repr, classes.counts))}), "
            f"but got {', '.join(map(repr, unknown))}. Use names from this list, or `class_weights: balanced`."
        )
    return classes.weights(given)


def _check_names(spec: TasksSpec, tasks: Mapping[str, TaskInfo]) -> None:
    for task in spec.each:
        if task not in tasks:
            raise InputError(
                f"recipe.tasks.each: must name tasks of the sample ({', '.join(tasks)}), but got {task}. "
                "Use a name from this list."
            )


def _plan(field: str, tasks: TasksSpec, task: str, info: TaskInfo) -> TaskPlan:
    spec, kind = tasks.of(task), info.problem_type
    if kind == "multi_label":
        raise InputError(
            f"recipe.tasks: must be absent where labels are {LABELS[kind]}, but got a recipe with tasks. Leave it out."
        )
    loss, metric = spec.loss or DEFAULT_LOSS[kind], spec.metric or DEFAULT_METRIC[kind]
    if LOSSES[loss] != kind or (loss == "binary_cross_entropy" and info.n_classes != 2):
        labels = f"{info.n_classes} classes" if info.n_classes else "scores"
        raise InputError(f"{field}.loss: must suit labels that are {labels}, but got {loss}. Leave it out.")
    if kind not in PROBLEM_TYPES[metric]:
        raise InputError(f"{field}.metric: must be one for {kind}, but got {metric}. Leave it out.")
    if spec.pairs == "apart" and not info.has_pairs:
        raise InputError(f"{field}.pairs: must be together where a row is one text, but got apart. Leave it out.")
    shape = HeadShape(
        n_outputs=info.n_classes if loss == "cross_entropy" else 1,
        n_layers=spec.n_layers or tasks.heads.n_own_layers,
        n_texts_per_row=2 if spec.pairs == "apart" else 1,
    )
    return TaskPlan(loss, sample_metric(metric, info.n_classes), spec.weight, shape)
