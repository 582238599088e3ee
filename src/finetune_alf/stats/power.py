"""How many texts, or how many seeds, it would take to find a difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from finetune_alf.seeds import MIN_SEEDS
from finetune_alf.stats.crossed import Components, satterthwaite
from finetune_alf.stats.verdict import SIGNIFICANCE_LEVEL

POWER = 0.8
"""The probability with which the difference is to be found."""

MOST_TEXTS, MOST_SEEDS = 1_000_000, 1_000
"""Where more would be needed, no number is."""


@dataclass(frozen=True)
class Needed:
    """How many texts with the present seeds, or seeds on the present texts, a difference needs; None for too many."""

    difference: float
    n_texts: int | None
    n_seeds: int | None


def pooled(components: Sequence[Components]) -> Components | None:
    """Return the mean components of several comparisons; None where one of them has a single seed, or there is none."""
    seeds = [each.seed for each in components if each.seed is not None]
    if not components or len(seeds) < len(components):
        return None
    return Components(
        fmean(seeds),
        fmean(each.text for each in components),
        fmean(each.rest for each in components),
        min(each.n_seeds for each in components),
        round(fmean(each.n_texts for each in components)),
    )


def needed(components: Components, difference: float) -> Needed:
    """Return what it takes to find a difference of this size, by a test of it alone.

    The test is that of `crossed.estimate`, its p is to be below .05 with a probability of 80 %. Fewer seeds than a
    verdict needs are not considered.
    """

    def is_found(n_seeds: int, n_texts: int) -> bool:
        return difference >= _detectable(components, n_seeds, n_texts)

    return Needed(
        difference,
        _smallest(lambda n: is_found(components.n_seeds, n), 2, MOST_TEXTS),
        _smallest(lambda n: is_found(n, components.n_texts), MIN_SEEDS, MOST_SEEDS),
    )


def _detectable(components: Components, n_seeds: int, n_texts: int) -> float:
    """Return the smallest difference that so many seeds and texts find."""
    from scipy.special import stdtrit

    rest = components.rest / (n_seeds * n_texts)
    seeds, texts = (components.seed or 0.0) / n_seeds + rest, components.text / n_texts + rest
    variance = seeds + texts - rest
    df_seeds, df_texts = n_seeds - 1, n_texts - 1
    parts = ((seeds, df_seeds), (texts, df_texts), (rest, df_seeds * df_texts))
    df = max(float(satterthwaite(np.asarray(variance), [(np.asarray(part), df) for part, df in parts])), df_seeds)
    return float((stdtrit(df, 1 - SIGNIFICANCE_LEVEL / 2) + stdtrit(df, POWER)) * np.sqrt(variance))


def _smallest(is_enough: Callable[[int], bool], least: int, most: int) -> int | None:
    if not is_enough(most):
        return None
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if is_enough(middle) else (middle + 1, most)
    return least
