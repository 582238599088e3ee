"""The declared family of a forgetting experiment: the rates that the guard refuses, against the lowest one."""

from collections.abc import Sequence

from finetune_alf.comparison import Family
from finetune_alf.recipe.recipe import FORGETTING_BOUND
from finetune_alf.report.numbers import rate as written

DESCRIBED = f"each rate above {written(FORGETTING_BOUND)} against the lowest rate, after the last step"


def forgetting_family(rates: Sequence[float]) -> Family[float]:
    """Return the family of an experiment with these rates."""
    return Family(DESCRIBED, {rate for rate in rates if rate > max(FORGETTING_BOUND, min(rates))})
