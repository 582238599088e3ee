"""A mean with its confidence interval, and Wilson's interval of a proportion."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.errors import InputError

CONFIDENCE_LEVEL = 0.95

Z = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % confidence interval, all in the mean's own unit."""

    mean: float
    low: float
    high: float


def wilson_interval(k: float, n: float, quantile: float = Z) -> Interval:
    """Return Wilson's score interval of a proportion: `k` successes in `n` independent trials.

    It covers the accuracy of this one fitted model over all texts like these, and says nothing of other seeds.
    Wilson 1927, "Probable inference". `k` and `n` may be fractional: an effective number of trials.
    """
    if not (n > 0 and 0 <= k <= n):
        raise InputError(f"k: must be from 0 to n, and n above 0, but got {k} of {n}.")
    p, scale = k / n, 1 + quantile**2 / n
    center = (p + quantile**2 / (2 * n)) / scale
    half = quantile / scale * np.sqrt(p * (1 - p) / n + quantile**2 / (4 * n**2))
    return Interval(p, float(max(0.0, min(center - half, p))), float(min(1.0, max(center + half, p))))


def as_matrix(values: ArrayLike) -> Floats:
    """Return the values as floats, (n_seeds, n_texts). Raises InputError for another shape, NaN or infinity."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"predictions: must be a non-empty matrix (n_seeds, n_texts), but got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InputError("predictions: must be finite numbers, but got NaN or infinity.")
    return matrix
