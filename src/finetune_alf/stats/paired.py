"""The exact test of a paired difference on texts alone, for fits of one seed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finetune_alf.stats.intervals import Floats


def sign_flip_p(differences: ArrayLike) -> float:
    """Return the exact two-sided p of the sign-flip permutation test over texts.

    `differences` is -1, 0 or 1, (n_seeds, n_texts). If two schemes are equally good, each text's difference, summed
    over the seeds, is as likely with the other sign. All 2**n_texts flips are counted, not sampled: the sums are
    integers, so their distribution is a convolution of one binomial for each size of difference. One seed gives
    McNemar's exact test. The p is about these fitted models on other texts, and says nothing of other seeds.
    """
    sums = np.abs(np.asarray(differences).sum(axis=0)).astype(np.int64)
    observed = abs(int(np.asarray(differences).sum()))
    probabilities = np.ones(1)
    for size in range(1, int(sums.max(initial=0)) + 1):
        probabilities = np.convolve(probabilities, _flipped_sum(size, int((sums == size).sum())))
    largest = len(probabilities) // 2  # the sums range from -largest to largest
    return min(1.0, float(probabilities[np.abs(np.arange(-largest, largest + 1)) >= observed].sum()))


def _flipped_sum(size: int, n_texts: int) -> Floats:
    """Return the probability of every sum, from -size * n_texts up, of n_texts numbers +-size with random signs."""
    probabilities = np.zeros(2 * size * n_texts + 1)
    probabilities[:: 2 * size] = _fair_binomial(n_texts)
    return probabilities


def _fair_binomial(n: int) -> Floats:
    log_factorial: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return np.asarray(np.exp(log_factorial[-1] - log_factorial - log_factorial[::-1] - n * np.log(2)))
