"""The mean over crossed seeds and texts: its variance by components, its t interval, and the p of the same t.

Every fit is scored on the same texts, so a prediction has an effect of its seed, one of its text, and a rest. A
two-way random-effects analysis of variance separates them (Brennan 2001, "Generalizability Theory"). With mean squares
of seeds, texts and rest, the grand mean of s seeds and n texts has the variance

    (MS_seed + MS_text - MS_rest) / (s n),

and Satterthwaite's degrees of freedom (1946). Two choices were made by simulation, whose tables are in docs/method.md.
The variance is never less than half of MS_text / (s n) or MS_rest / (s n), whichever is larger, since a sum with a
negative term may come out near 0; with negative components set to 0, up to 98 % of intervals on few texts cover the
truth. And all three mean squares count in the degrees of freedom, also where the component of the seeds comes out
negative; without that, up to 8 % of families of equal schemes had a false call. They are no fewer than those of the
seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from finetune_alf.stats.intervals import CONFIDENCE_LEVEL, Floats, Z, wilson_ends
from finetune_alf.stats.scores import Scores

LEAST_SHARE = 0.5
"""The least variance of a mean, as a share of the part of the texts or of the rest."""


class Variance(NamedTuple):
    """The variance of a mean over seeds and texts, its degrees of freedom, and its components.

    The components are variances of single predictions, 0 where they come out negative: the mean over s seeds and n
    texts has about seed / s + text / n + rest / (s n). Of one seed `seed` is nan, and `text` includes the rest.
    """

    of_mean: Floats
    df: Floats
    seed: Floats
    text: Floats
    rest: Floats
    n_texts: int


@dataclass(frozen=True)
class Components:
    """The components of a `Variance`, and the numbers of seeds and texts that they were estimated from.

    `seed` is None with one seed. `n_texts` is the sum over the sets of texts.
    """

    seed: float | None
    text: float
    rest: float
    n_seeds: int
    n_texts: int


@dataclass(frozen=True)
class Estimated:
    """A mean over seeds and texts, with its 95 % interval, the two-sided p of its being 0, and its components.

    Of one seed, interval and p are about other texts alone. `sd_seeds` is the standard deviation of the seeds' means.
    """

    mean: float
    low: float
    high: float
    p: float
    sd_seeds: float | None
    components: Components


def variance_of_mean(by_seed: Floats, by_text: Sequence[Floats]) -> Variance:
    """Return the variance of the mean of `by_seed`, (..., n_seeds); each of `by_text` is (..., n_seeds, n_texts).

    Leading axes are comparisons, computed at once.
    """
    n_seeds, n_texts = by_seed.shape[-1], sum(values.shape[-1] for values in by_text)
    text_parts, rest_parts = zip(*map(_texts_and_rest, by_text), strict=True)
    texts, rest = sum(part for part, _ in text_parts), sum(part for part, _ in rest_parts)
    if n_seeds == 1:
        df, unknown = satterthwaite(texts, text_parts), np.full_like(texts, np.nan)
        return Variance(texts, df, unknown, texts * n_texts, np.zeros_like(texts), n_texts)
    seeds = by_seed.var(axis=-1, ddof=1) / n_seeds
    of_mean = np.maximum(seeds + texts - rest, LEAST_SHARE * np.maximum(texts, rest))
    return Variance(
        of_mean,
        np.maximum(satterthwaite(of_mean, ((seeds, n_seeds - 1), *text_parts, *rest_parts)), n_seeds - 1),
        np.maximum(seeds - rest, 0) * n_seeds,
        np.maximum(texts - rest, 0) * n_texts,
        rest * n_seeds * n_texts,
        n_texts,
    )


def t_ends(mean: Floats, variance: Variance) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % t interval of a mean."""
    half = np.where(variance.of_mean > 0, _quantile(variance) * np.sqrt(variance.of_mean), 0.0)
    return mean - half, mean + half


def proportion_ends(share: Floats, variance: Variance) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % interval of a share of correct predictions.

    It is Wilson's at the effective sample size of Korn and Graubard (1998), with the quantile of t. Where nothing
    varies, all texts are right or all are wrong, and each text counts as one trial.
    """
    is_constant = variance.of_mean == 0
    of_mean = np.where(is_constant, 1.0, variance.of_mean)
    n_effective = np.where(is_constant, variance.n_texts, share * (1 - share) / of_mean)
    return wilson_ends(share, n_effective, np.where(is_constant, Z, _quantile(variance)))


def t_p(mean: Floats, variance: Variance) -> Floats:
    """Return the two-sided p of a mean that is 0 by hypothesis; 1 where it is 0 and does not vary."""
    from scipy.special import stdtr

    extreme = np.where(mean == 0, 0.0, np.inf)
    t = np.divide(np.abs(mean), np.sqrt(variance.of_mean), out=extreme, where=variance.of_mean > 0)
    return np.asarray(2 * stdtr(variance.df, -t))


def satterthwaite(total: Floats, parts: Sequence[tuple[Floats, int]]) -> Floats:
    """Return the degrees of freedom of a variance with these parts, and inf where nothing varies."""
    spread = sum(np.square(part) / df for part, df in parts)
    return np.asarray(np.divide(np.square(total), spread, out=np.full_like(total, np.inf), where=spread > 0))


def estimate(scores: Scores) -> Estimated:
    """Return the mean over seeds and texts with its interval, which stays within the bounds of the scores."""
    mean, variance = scores.by_seed.mean(keepdims=True)[0], variance_of_mean(scores.by_seed, scores.by_text)
    low, high = (proportion_ends if scores.is_proportion else t_ends)(mean, variance)
    least, most = min(scores.bounds[0], mean), max(scores.bounds[1], mean)  # a mean may overshoot in its last digit
    has_seeds = len(scores.seeds) > 1
    return Estimated(
        float(mean),
        float(max(low, least)),
        float(min(high, most)),
        float(t_p(mean, variance)),
        float(scores.by_seed.std(ddof=1)) if has_seeds else None,
        Components(
            float(variance.seed) if has_seeds else None,
            float(variance.text),
            float(variance.rest),
            len(scores.seeds),
            variance.n_texts,
        ),
    )


def _texts_and_rest(values: Floats) -> tuple[tuple[Floats, int], tuple[Floats, int]]:
    """Return MS_text / (s n) and MS_rest / (s n), each with its degrees of freedom; of one seed, the rest is 0."""
    n_seeds, n_texts = values.shape[-2:]
    by_text = values.mean(axis=-2, keepdims=True)
    texts = by_text.var(axis=(-2, -1), ddof=1) / n_texts
    if n_seeds == 1:
        return (texts, n_texts - 1), (np.zeros_like(texts), 1)
    df = (n_seeds - 1) * (n_texts - 1)
    rest = values - values.mean(axis=-1, keepdims=True) - by_text + by_text.mean(axis=-1, keepdims=True)
    return (texts, n_texts - 1), (np.square(rest).sum(axis=(-2, -1)) / df / (n_seeds * n_texts), df)


def _quantile(variance: Variance) -> Floats:
    """Return how many standard errors a 95 % interval reaches."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(variance.df, (1 + CONFIDENCE_LEVEL) / 2))
