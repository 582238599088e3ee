"""The Recipe: one record of all that a fit needs besides data and encoder. Pure: no module here imports torch."""

from finetune_alf.recipe.adapter import Adapter, HoulsbyAdapter, LoraAdapter
from finetune_alf.recipe.curve import (
    ConstantCurve,
    CosineCurve,
    Curve,
    ExponentialCurve,
    LinearCurve,
    SlantedTriangularCurve,
)
from finetune_alf.recipe.early_stopping import EarlyStopping
from finetune_alf.recipe.linear import AnyRecipe, LinearRecipe, ProbeRecipe, TfidfRecipe
from finetune_alf.recipe.movement import movements
from finetune_alf.recipe.objective import Contrastive
from finetune_alf.recipe.optimizer import SGD, AdamW, Optimizer
from finetune_alf.recipe.recipe import FORGETTING_BOUND, Pooler, Pooling, Recipe, Truncation
from finetune_alf.recipe.tasks import HeadsSpec, TaskSpec, TasksSpec
from finetune_alf.recipe.unfreezing import GradualUnfreezing, ImmediateUnfreezing, Unfreezing

__all__ = [
    "FORGETTING_BOUND",
    "SGD",
    "AdamW",
    "Adapter",
    "AnyRecipe",
    "ConstantCurve",
    "Contrastive",
    "CosineCurve",
    "Curve",
    "EarlyStopping",
    "ExponentialCurve",
    "GradualUnfreezing",
    "HeadsSpec",
    "HoulsbyAdapter",
    "ImmediateUnfreezing",
    "LinearCurve",
    "LinearRecipe",
    "LoraAdapter",
    "Optimizer",
    "Pooler",
    "Pooling",
    "ProbeRecipe",
    "Recipe",
    "SlantedTriangularCurve",
    "TaskSpec",
    "TasksSpec",
    "TfidfRecipe",
    "Truncation",
    "Unfreezing",
    "movements",
]
