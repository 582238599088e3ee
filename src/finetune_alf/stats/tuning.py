"""Tuning curves: the test score of what a search would have selected, against the number of its fits."""

from collections.abc import Hashable, Sequence
from math import comb
from statistics import fmean


def selected_so_far(settings: Sequence[Hashable], validation: Sequence[float], test: Sequence[float]) -> list[float]:
    """Return, after each fit, the mean test score of the setting with the highest mean validation score so far.

    Of equal ones it is the earliest.
    """
    fits: dict[Hashable, list[tuple[float, float]]] = {}
    curve = []
    for setting, validated, tested in zip(settings, validation, test, strict=True):
        fits.setdefault(setting, []).append((validated, tested))
        best = max(fits.values(), key=lambda own: fmean(score for score, _ in own))
        curve.append(fmean(score for _, score in best))
    return curve


def expected_selected(validation: Sequence[float], test: Sequence[float]) -> list[float]:
    """Return, for each number of fits, the expected test score of the best by validation of so many random ones.

    For independent fits this is unbiased: the mean over all subsets of that size, drawn without replacement (the
    estimator with replacement is not: Tang et al. 2020, arXiv 2004.13705). Equal validation scores share their mean.
    """
    n = len(validation)
    order = sorted(range(n), key=lambda index: validation[index])
    tied: dict[float, list[float]] = {}
    for score, tested in zip(validation, test, strict=True):
        tied.setdefault(score, []).append(tested)
    ordered = [fmean(tied[validation[index]]) for index in order]
    return [
        sum(comb(rank, size - 1) * score for rank, score in enumerate(ordered)) / comb(n, size)
        for size in range(1, n + 1)
    ]
