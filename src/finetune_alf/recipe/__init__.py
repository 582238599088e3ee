"""All that a fit needs besides data and encoder, as one record: the Recipe. Pure: nothing here knows torch."""

from finetune_alf.recipe.curve import ConstantCurve, CosineCurve, Curve, LinearCurve, SlantedTriangularCurve
from finetune_alf.recipe.optimizer import SGD, AdamW, Optimizer
from finetune_alf.recipe.recipe import FORGETTING_BOUND, Recipe
from finetune_alf.recipe.stopping import Stopping
from finetune_alf.recipe.thaw import GradualThaw, OpenThaw, Thaw

__all__ = [
    "FORGETTING_BOUND",
    "SGD",
    "AdamW",
    "ConstantCurve",
    "CosineCurve",
    "Curve",
    "GradualThaw",
    "LinearCurve",
    "OpenThaw",
    "Optimizer",
    "Recipe",
    "SlantedTriangularCurve",
    "Stopping",
    "Thaw",
]
