"""All that a fit needs besides data and encoder, as one record: the Recipe. Pure: nothing here knows torch."""

from finetune_alf.recipe.adapter import Adapter, HoulsbyAdapter, LoraAdapter
from finetune_alf.recipe.curve import (
    ConstantCurve,
    CosineCurve,
    Curve,
    ExponentialCurve,
    LinearCurve,
    SlantedTriangularCurve,
)
from finetune_alf.recipe.optimizer import SGD, AdamW, Optimizer
from finetune_alf.recipe.recipe import FORGETTING_BOUND, Recipe
from finetune_alf.recipe.stopping import Stopping
from finetune_alf.recipe.tasks import HeadsSpec, TaskSpec, TasksSpec
from finetune_alf.recipe.unfreezing import GradualUnfreezing, ImmediateUnfreezing, Unfreezing

__all__ = [
    "FORGETTING_BOUND",
    "SGD",
    "AdamW",
    "Adapter",
    "ConstantCurve",
    "CosineCurve",
    "Curve",
    "ExponentialCurve",
    "GradualUnfreezing",
    "HeadsSpec",
    "HoulsbyAdapter",
    "ImmediateUnfreezing",
    "LinearCurve",
    "LoraAdapter",
    "Optimizer",
    "Recipe",
    "SlantedTriangularCurve",
    "Stopping",
    "TaskSpec",
    "TasksSpec",
    "Unfreezing",
]
