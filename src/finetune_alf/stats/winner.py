"""How much too high the score of the best of several is."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from finetune_alf.stats.crossed import variance_of_mean
from finetune_alf.stats.scores import Scores

_GRID = np.linspace(-8.0, 8.0, 3201)
"""Where the normal density is integrated; it is below 1e-14 beyond."""


def optimism(scores: Sequence[Scores]) -> float:
    """Return how much too high the best of these mean scores is, compared with its own on other seeds and texts.

    All are over the same seeds and texts. The noise that they do not share is half the variance of their paired
    differences, v, as a mean over all pairs; the variance of the means themselves, at least v, is s². If true means and
    noise are normal, the expected maximum of k means is too high by v / s times that of k standard normal numbers. 0
    for a single one.
    """
    if len(scores) < 2:
        return 0.0
    pairs = [one - other for one, other in combinations(scores, 2)]
    noise = float(np.mean([variance_of_mean(pair.by_seed, pair.by_text).of_mean for pair in pairs])) / 2
    spread = float(np.var([each.by_seed.mean() for each in scores], ddof=1))
    return noise / max(noise, spread) ** 0.5 * expected_maximum(len(scores)) if noise > 0 else 0.0


def expected_maximum(n: int) -> float:
    """Return the expected maximum of n independent standard normal numbers."""
    from scipy.special import ndtr

    density = np.exp(-np.square(_GRID) / 2) / np.sqrt(2 * np.pi)
    return float(np.trapezoid(_GRID * n * density * ndtr(_GRID) ** (n - 1), _GRID))
