"""The declared family of a decay grid: every factor below 1, at every rate."""

from collections.abc import Iterable

from finetune_alf.comparison import Family

Pair = tuple[float, float]
"""A rate and a factor."""

DESCRIBED = "every factor below 1 against a factor of 1 at the same rate"


def decay_family(grid: Iterable[Pair]) -> Family[Pair]:
    """Return the family of a grid."""
    return Family(DESCRIBED, {(rate, factor) for rate, factor in grid if factor < 1})
