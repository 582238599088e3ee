"""Confidence intervals of an accuracy: of one fit, of a few fits on the same texts, and by bootstrap over both."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.errors import InputError

CONFIDENCE_LEVEL = 0.95

Z = NormalDist().inv_cdf((1 + CONFIDENCE_LEVEL) / 2)
Floats = NDArray[np.float64]

_MAX_COUNTS = 4_000_000  # text counts drawn at a time: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % confidence interval, all in the mean's own unit."""

    mean: float
    low: float
    high: float


def wilson_interval(k: float, n: float) -> Interval:
    """Return Wilson's score interval of a proportion: `k` successes in `n` independent trials.

    It covers the accuracy of this one fitted model over all texts like these, and says nothing of other seeds.
    Wilson 1927, "Probable inference". `k` and `n` may be fractional, as `accuracy_interval` needs.
    """
    if not (n > 0 and 0 <= k <= n):
        raise InputError(f"k: must be from 0 to n, and n above 0, but got {k} of {n}.")
    p, scale = k / n, 1 + Z**2 / n
    center = (p + Z**2 / (2 * n)) / scale
    half = Z / scale * np.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Interval(p, float(max(0.0, min(center - half, p))), float(min(1.0, max(center + half, p))))


def accuracy_interval(correct: ArrayLike) -> Interval:
    """Return the mean accuracy of a few fits scored on the same texts, with its interval over new seeds and new texts.

    `correct` is 0 or 1, (n_seeds, n_texts). The variance is the variance of the seeds' means / n_seeds plus that of
    the texts' means / n_texts, an estimate that is rather too large than too small. The interval is Wilson's at the
    effective sample size that has this variance (Korn and Graubard 1998), so it stays in [0, 1]. One seed gives
    Wilson's own interval. Two seeds say little about the spread of seeds: then the interval is a lower bound.
    """
    matrix = as_binary(correct)
    n_seeds, n_texts = matrix.shape
    mean = float(matrix.mean())
    variance = matrix.mean(axis=0).var() / n_texts
    if n_seeds > 1:
        variance += matrix.mean(axis=1).var(ddof=1) / n_seeds
    n_effective = mean * (1 - mean) / variance if variance > 0 else float(n_texts)
    return wilson_interval(mean * n_effective, n_effective)


def crossed_bootstrap(
    values: ArrayLike, n_resamples: int = 2000, seed: int = 0, *, classes: ArrayLike | None = None
) -> Interval:
    """Return the mean over seeds and texts, with its interval from resampling both.

    `values` is any number per prediction, (n_seeds, n_texts): 0 or 1 for an accuracy, the difference of two schemes
    for a paired comparison. With `classes`, (n_texts,), texts are resampled within each class and the classes' means
    have equal weight, as in the balanced accuracy. Resampling seeds and texts independently is Owen's pigeonhole
    bootstrap (2007), which is conservative. The seeds' part is stretched by sqrt(n / (n - 1)) as in Rao and Wu (1988),
    because a bootstrap of 2 or 3 seeds is too narrow by that factor. With one seed the interval is over texts alone.
    """
    matrix = as_matrix(values)
    rng = np.random.default_rng(seed)
    by_seed = seed_weights(len(matrix), n_resamples, rng)
    groups = _groups(matrix.shape[1], classes)
    means = np.mean([_resampled_means(matrix[:, group], by_seed, rng) for group in groups], axis=0)
    mean = float(np.mean([matrix[:, group].mean() for group in groups]))
    low, high = np.quantile(means, [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2])
    least, most = float(matrix.min()), float(matrix.max())
    return Interval(mean, float(np.clip(low, least, mean)), float(np.clip(high, mean, most)))


def as_matrix(values: ArrayLike) -> Floats:
    """Return the values as floats, (n_seeds, n_texts). Raises InputError for another shape, NaN or infinity."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"predictions: must be a non-empty matrix (n_seeds, n_texts), but got shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InputError("predictions: must be finite numbers, but got NaN or infinity.")
    return matrix


def as_binary(correct: ArrayLike) -> Floats:
    """Return correct and wrong predictions as 1 and 0, (n_seeds, n_texts). Raises InputError for other values."""
    matrix = as_matrix(correct)
    if not np.isin(matrix, (0, 1)).all():
        raise InputError(f"correct: must hold only 0 and 1, but got {np.setdiff1d(matrix, (0, 1))[0]:g}.")
    return matrix


def seed_weights(n_seeds: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return the weight of each seed in each resample, (n_resamples, n_seeds), stretched as in `crossed_bootstrap`."""
    even = np.full(n_seeds, 1 / n_seeds)
    drawn = rng.multinomial(n_seeds, even, size=n_resamples) / n_seeds  # (n_resamples, n_seeds)
    stretch = np.sqrt(n_seeds / (n_seeds - 1)) if n_seeds > 1 else 1.0
    return np.asarray(even + stretch * (drawn - even))


def _groups(n_texts: int, classes: ArrayLike | None) -> list[NDArray[np.intp]]:
    if classes is None:
        return [np.arange(n_texts)]
    labels: NDArray[Any] = np.asarray(classes)
    if labels.shape != (n_texts,):
        raise InputError(f"classes: must be one for each of the {n_texts} texts, but got shape {labels.shape}.")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _resampled_means(matrix: Floats, by_seed: Floats, rng: np.random.Generator) -> Floats:
    n_texts = matrix.shape[1]
    even = np.full(n_texts, 1 / n_texts)
    batch_size = max(1, _MAX_COUNTS // n_texts)
    means = []
    for start in range(0, len(by_seed), batch_size):
        weights = by_seed[start : start + batch_size]  # (batch, n_seeds)
        counts = rng.multinomial(n_texts, even, size=len(weights)) / n_texts  # (batch, n_texts)
        means.append(np.einsum("bs,bs->b", weights, counts @ matrix.T))
    return np.concatenate(means)
