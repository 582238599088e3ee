"""Intervals for an accuracy: from one fit, from a few fits on the same texts, and by resampling both."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.errors import InputError

LEVEL = 0.95
"""How often an interval covers what it is about, in the long run."""

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
Floats = NDArray[np.float64]

_CELLS_AT_ONCE = 4_000_000  # text counts drawn at a time: 32 MB


@dataclass(frozen=True)
class Interval:
    """A mean and the 95 % interval round it, all in the mean's own unit."""

    mean: float
    low: float
    high: float


def wilson(k: float, n: float) -> Interval:
    """Return Wilson's interval for a share of which `k` of `n` independent answers were seen.

    Answers: where may the accuracy of this one fitted model lie, over all texts like these? It knows nothing of
    other seeds. Wilson 1927, "Probable inference". Neither number need be whole: see `mean_interval`.
    """
    if not (n > 0 and 0 <= k <= n):
        raise InputError(f"k: must be from 0 to n, and n above 0, but got {k} of {n}.")
    share, scale = k / n, 1 + Z**2 / n
    middle = (share + Z**2 / (2 * n)) / scale
    half = Z / scale * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Interval(share, float(max(0.0, min(middle - half, share))), float(min(1.0, max(middle + half, share))))


def mean_interval(correct: ArrayLike) -> Interval:
    """Return the interval of a mean accuracy over a few fits scored on the same texts.

    `correct` is 0 or 1, (n_seeds, n_texts). Answers: where may the mean accuracy lie, over fresh seeds and fresh
    texts? The variance is that of the seeds' means / n_seeds plus that of the texts' means / n_texts, which is
    rather too large than too small; the interval is Wilson's at the number of independent answers with that variance
    (the "effective sample size", Korn and Graubard 1998), so that it stays in [0, 1]. One seed gives Wilson's own.
    Two seeds tell little of how seeds differ: read it as a lower bound of the doubt.
    """
    answers = as_answers(correct)
    n_seeds, n_texts = answers.shape
    mean = float(answers.mean())
    variance = answers.mean(axis=0).var() / n_texts
    if n_seeds > 1:
        variance += answers.mean(axis=1).var(ddof=1) / n_seeds
    n_independent = mean * (1 - mean) / variance if variance > 0 else float(n_texts)
    return wilson(mean * n_independent, n_independent)


def crossed_bootstrap(
    correct: ArrayLike, n_resamples: int = 2000, seed: int = 0, *, classes: ArrayLike | None = None
) -> Interval:
    """Return the mean over seeds and texts with the interval from resampling both.

    `correct` is any number per answer, (n_seeds, n_texts): 0 or 1 for an accuracy, the difference of two for a
    paired comparison. With `classes`, (n_texts,), texts are drawn class by class and the classes' means weigh the
    same: the balanced accuracy. Answers: where may the mean lie, over fresh seeds and fresh texts? Resampling
    seeds and texts apart is Owen's pigeonhole bootstrap (2007), which errs on the wide side; the seeds' part is
    stretched by sqrt(n / (n - 1)) as in Rao and Wu (1988), since a bootstrap of 2 or 3 is too narrow by that much.
    One seed says nothing of seeds: then the interval is over texts alone.
    """
    answers = as_matrix(correct)
    rng = np.random.default_rng(seed)
    by_seed = seed_weights(len(answers), n_resamples, rng)
    groups = _groups(answers.shape[1], classes)
    drawn = np.mean([_resampled_means(answers[:, group], by_seed, rng) for group in groups], axis=0)
    mean = float(np.mean([answers[:, group].mean() for group in groups]))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    least, most = float(answers.min()), float(answers.max())
    return Interval(mean, float(np.clip(low, least, mean)), float(np.clip(high, mean, most)))


def as_matrix(values: ArrayLike) -> Floats:
    """Return the values as floats, (n_seeds, n_texts); InputError when they are anything else."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"answers: must be a matrix (n_seeds, n_texts) with no side of 0, but got {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InputError("answers: must be finite numbers, but got NaN or infinity.")
    return matrix


def as_answers(correct: ArrayLike) -> Floats:
    """Return right and wrong answers as 1 and 0, (n_seeds, n_texts); InputError when there is a third value."""
    matrix = as_matrix(correct)
    if not np.isin(matrix, (0, 1)).all():
        raise InputError(f"correct: must hold 0 and 1 alone, but got {np.setdiff1d(matrix, (0, 1))[0]:g}.")
    return matrix


def seed_weights(n_seeds: int, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Return what each seed weighs in each resample, (n_resamples, n_seeds), stretched as `crossed_bootstrap` says."""
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


def _resampled_means(answers: Floats, seed_weights: Floats, rng: np.random.Generator) -> Floats:
    n_texts = answers.shape[1]
    even = np.full(n_texts, 1 / n_texts)
    n_at_once = max(1, _CELLS_AT_ONCE // n_texts)
    means = []
    for start in range(0, len(seed_weights), n_at_once):
        weights = seed_weights[start : start + n_at_once]  # (n, n_seeds)
        counts = rng.multinomial(n_texts, even, size=len(weights)) / n_texts  # (n, n_texts)
        means.append(np.einsum("bs,bs->b", weights, counts @ answers.T))
    return np.concatenate(means)
