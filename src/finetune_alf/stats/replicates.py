"""Paired differences over independent replicates on fixed samples: test, interval, equivalence, power.

A replicate is a whole experiment done anew: other draws, other seeds. Its differences are one number for each contrast,
and nothing of its fits has to be modelled. Samples are fixed: the mean is that of the samples' means, all of equal
weight, and says nothing of other samples. The spread within samples is taken as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from finetune_alf.errors import InputError
from finetune_alf.stats.intervals import CONFIDENCE_LEVEL, Floats
from finetune_alf.stats.power import POWER
from finetune_alf.stats.verdict import SIGNIFICANCE_LEVEL, holm

BySample = Mapping[str, Sequence[float]]
"""Sample -> the difference, or the score, of each of its replicates."""

MAX_EXACT = 32
"""Up to this many replicates all sign flips are counted: 65,536 sums of either half."""

N_FLIPS, FLIP_SEED = 99_999, 1
"""The sign flips that are drawn where there are more replicates."""

Decision = Literal["better", "worse", "better within the margin", "worse within the margin", "no practical difference"]


@dataclass(frozen=True)
class ReplicateMean:
    """The mean over samples of their replicates' means, with its 95 % t interval.

    `sd` is the standard deviation of a replicate within its sample, `df` its degrees of freedom, `standard_error` that
    of the mean. With one replicate a sample all of them are None, and so is the interval.
    """

    mean: float
    low: float | None
    high: float | None
    sd: float | None
    standard_error: float | None
    df: int
    n_replicates: int


@dataclass(frozen=True)
class Contrast:
    """A paired difference as tested: `p` by sign flips, `p_equivalence` that it lies beyond the margin, by TOST.

    Both are corrected over the family (Holm) in `p_holm` and `p_equivalence_holm`. `smallest` is the smallest
    difference that such replicates show with a probability of 80 %, at the strictest level of the family. `decision` is
    None where nothing is shown.
    """

    found: ReplicateMean
    p: float
    p_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    smallest: float | None
    decision: Decision | None


def contrasts(family: Mapping[str, BySample], margin: float) -> dict[str, Contrast]:
    """Return each contrast of a family, tested for a difference and for equivalence within +-`margin`."""
    found = {name: replicate_mean(differences) for name, differences in family.items()}
    p_values = [sign_flip_p(differences) for differences in family.values()]
    equivalence = [equivalence_p(one, margin) for one in found.values()]
    rows = zip(found.items(), p_values, holm(p_values), equivalence, holm(equivalence), strict=True)
    return {
        name: Contrast(
            one, p, p_holm, p_eq, p_eq_holm, smallest_shown(one, len(family)), _decision(one.mean, p_holm, p_eq_holm)
        )
        for (name, one), p, p_holm, p_eq, p_eq_holm in rows
    }


def replicate_mean(values: BySample) -> ReplicateMean:
    """Return the mean over samples with its t interval; InputError for a sample without a replicate."""
    rows = [np.asarray(own, dtype=np.float64) for own in values.values()]
    if not rows or any(not len(own) for own in rows):
        raise InputError("replicates: must be at least one a sample, but there is none.")
    mean = float(np.mean([own.mean() for own in rows]))
    n, df = sum(map(len, rows)), sum(len(own) - 1 for own in rows)
    if df == 0:
        return ReplicateMean(mean, None, None, None, None, 0, n)
    sd = sqrt(sum(float(np.square(own - own.mean()).sum()) for own in rows) / df)
    standard_error = sd * sqrt(sum(1 / len(own) for own in rows)) / len(rows)
    half = _t_quantile(df, (1 + CONFIDENCE_LEVEL) / 2) * standard_error
    return ReplicateMean(mean, mean - half, mean + half, sd, standard_error, df, n)


def sign_flip_p(differences: BySample) -> float:
    """Return the two-sided p of the sign-flip test of the mean over samples.

    If two arms are equally good, a replicate's difference is as likely with the other sign. Each is flipped by itself
    within its sample, and weighs as it does in the mean. Up to MAX_EXACT replicates all flips are counted.
    """
    rows = [np.asarray(own, dtype=np.float64) for own in differences.values()]
    weighted = np.concatenate([own / (len(own) * len(rows)) for own in rows])
    observed, slack = abs(float(weighted.sum())), 1e-9 * float(np.abs(weighted).sum())
    if observed <= slack:
        return 1.0
    if len(weighted) > MAX_EXACT:
        signs = np.random.default_rng(FLIP_SEED).choice([-1.0, 1.0], (N_FLIPS, len(weighted)))
        return float((1 + (np.abs(signs @ weighted) >= observed - slack).sum()) / (1 + N_FLIPS))
    half = len(weighted) // 2
    left, right = _signed_sums(weighted[:half]), np.sort(_signed_sums(weighted[half:]))
    n_at_least = len(right) - np.searchsorted(right, observed - slack - left)
    return min(1.0, float(2 * n_at_least.sum() / 2.0 ** len(weighted)))


def equivalence_p(found: ReplicateMean, margin: float) -> float:
    """Return the p of a difference of `margin` or more, to either side: two one-sided t tests (Lakens 2017).

    1 where the spread is unknown.
    """
    from scipy.special import stdtr

    if found.standard_error is None:
        return 1.0
    if found.standard_error == 0:
        return 0.0 if abs(found.mean) < margin else 1.0
    return float(stdtr(found.df, -(margin - abs(found.mean)) / found.standard_error))


def smallest_shown(found: ReplicateMean, n_tests: int = 1) -> float | None:
    """Return the smallest difference that is shown with a probability of 80 %; None where the spread is unknown.

    Its p is to be below .05 over the number of tests, the strictest level of Holm's correction.
    """
    return None if found.standard_error is None else _reach(found.df, n_tests) * found.standard_error


def needed_replicates(sd: float, n_samples: int, difference: float, n_tests: int = 1, most: int = 10_000) -> int | None:
    """Return how many replicates of each sample show a difference with a probability of 80 %; None for too many."""

    def is_enough(n: int) -> bool:
        return _reach(n_samples * (n - 1), n_tests) * sd / sqrt(n_samples * n) <= difference

    return next((n for n in range(2, most + 1) if is_enough(n)), None)


def _signed_sums(values: Floats) -> Floats:
    """Return the sums of the values with all combinations of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _reach(df: int, n_tests: int) -> float:
    """Return how many standard errors a difference must be to be shown with a probability of 80 %."""
    return _t_quantile(df, 1 - SIGNIFICANCE_LEVEL / n_tests / 2) + _t_quantile(df, POWER)


def _t_quantile(df: int, probability: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def _decision(mean: float, p_holm: float, p_equivalence_holm: float) -> Decision | None:
    is_different, is_equivalent = p_holm < SIGNIFICANCE_LEVEL, p_equivalence_holm < SIGNIFICANCE_LEVEL
    if is_different and is_equivalent:
        return "better within the margin" if mean > 0 else "worse within the margin"
    if is_different:
        return "better" if mean > 0 else "worse"
    return "no practical difference" if is_equivalent else None
