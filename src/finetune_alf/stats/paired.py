"""Whether two schemes differ on the same texts under the same seeds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.errors import InputError
from finetune_alf.stats.intervals import Floats, as_answers, crossed_bootstrap


@dataclass(frozen=True)
class Difference:
    """How much more often a is right than b, in [-1, 1], with its 95 % interval and the paired test's p."""

    mean: float
    low: float
    high: float
    p: float


def paired_difference(correct_a: ArrayLike, correct_b: ArrayLike, seed: int = 0, n_resamples: int = 2000) -> Difference:
    """Return the difference a - b of two schemes' accuracies over the same seeds and texts.

    Both are 0 or 1, (n_seeds, n_texts); row i of both was fitted with the same seed. The interval answers: where may
    the difference lie, over fresh seeds and fresh texts (`crossed_bootstrap` of the paired differences)? p answers
    another question: were these very models equally good on texts like these, how often would the texts alone show
    a difference as large (`sign_flip_p`)? With few seeds p can be small where other seeds would disagree; so
    `verdict` asks for both.
    """
    a, b = as_answers(correct_a), as_answers(correct_b)
    if a.shape != b.shape:
        raise InputError(
            f"correct_a, correct_b: must have the same seeds and texts, but got shapes {a.shape} and {b.shape}."
        )
    interval = crossed_bootstrap(a - b, n_resamples, seed)
    return Difference(interval.mean, interval.low, interval.high, sign_flip_p(a - b))


def sign_flip_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p of the sign-flip permutation test over texts.

    `differences` is -1, 0 or 1, (n_seeds, n_texts). Were two schemes equally good, each text's difference summed
    over the seeds would be as likely with the other sign. All 2**n_texts flips are counted, not sampled: the sums
    are whole numbers, so their distribution is a convolution of one binomial for each size of difference. One seed
    gives McNemar's exact test.
    """
    sums = np.abs(np.asarray(differences).sum(axis=0)).astype(np.int64)
    observed = abs(int(np.asarray(differences).sum()))
    chances = np.ones(1)
    for size in range(1, int(sums.max(initial=0)) + 1):
        chances = np.convolve(chances, _flipped_sum(size, int((sums == size).sum())))
    reach = len(chances) // 2  # the sums run from -reach to reach
    return min(1.0, float(chances[np.abs(np.arange(-reach, reach + 1)) >= observed].sum()))


def _flipped_sum(size: int, n_texts: int) -> Floats:
    """Return the chances of every sum, from -size * n_texts up, of n_texts numbers +-size with fair signs."""
    chances = np.zeros(2 * size * n_texts + 1)
    chances[:: 2 * size] = _fair_binomial(n_texts)
    return chances


def _fair_binomial(n: int) -> Floats:
    log_factorial: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return np.asarray(np.exp(log_factorial[-1] - log_factorial - log_factorial[::-1] - n * np.log(2)))
