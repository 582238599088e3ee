"""Confidence intervals: their level, their record, and Wilson's of a proportion; the check of a matrix of values."""

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


def wilson_ends(share: ArrayLike, n: ArrayLike, quantile: ArrayLike = Z) -> tuple[Floats, Floats]:
    """Return the ends of Wilson's score interval of a share of `n` independent trials, which may be fractional.

    Wilson 1927, "Probable inference".
    """
    p, n, z = (np.asarray(each, dtype=np.float64) for each in (share, n, quantile))
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(center - half, 0.0, p), np.clip(center + half, p, 1.0)


def as_matrix(values: ArrayLike) -> Floats:
    """Return the values as floats, (n_seeds, n_texts). Raises InputError for another shape, NaN or infinity."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"predictions: must be a non-empty matrix (n_seeds, n_texts), but got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InputError("predictions: must be finite numbers, but got NaN or infinity.")
    return matrix
