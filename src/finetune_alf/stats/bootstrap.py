"""Bootstrap intervals and randomization tests for any metric, also one that is no mean over texts."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from finetune_alf.errors import InputError
from finetune_alf.seeds import child_seed
from finetune_alf.stats.intervals import CONFIDENCE_LEVEL, Interval, as_matrix, crossed_bootstrap, seed_weights
from finetune_alf.stats.paired import Difference, paired_difference
from finetune_alf.stats.weighted import Floats, Labels, WeightedMetric

Replicates = Floats
"""A score on all texts, then on each bootstrap resample of them, by fit seed: (1 + n_resamples, n_seeds)."""

_MAX_WEIGHTS = 2_000_000  # text weights at a time: 16 MB, and as much again for each step of a metric


class ComparableMetric(Protocol):
    """What intervals and tests need of a metric; those of `metrics.py` have it."""

    @property
    def weighted(self) -> WeightedMetric:
        """The metric under many weight vectors at once."""
        ...

    @property
    def is_correct(self) -> Callable[[Labels, Labels], Labels] | None:
        """For a metric that is a mean over texts: whether each text's prediction is correct."""
        ...

    @property
    def rescale(self) -> Callable[[Labels], Labels]:
        """Bring predictions (n,) to a scale that all schemes share; the metric stays the same."""
        ...


def score_interval(
    metric: ComparableMetric, truth: ArrayLike, predicted: ArrayLike, n_resamples: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean of a metric over the seeds, with its 95 % interval from resampling seeds and texts.

    `truth` is (n_texts,), `predicted` (n_seeds, n_texts). For a metric that is a mean over texts this is
    `crossed_bootstrap`. For others the metric is computed on each resample of texts, and the seeds are resampled
    in the same way. Resamples are not stratified, so the interval covers how the metric depends on the class shares.
    """
    if metric.is_correct is not None:
        return crossed_bootstrap(metric.is_correct(*_checked(truth, predicted)), n_resamples, seed)
    replicates = bootstrap_replicates(metric, truth, predicted, n_resamples, child_seed(seed, "texts"))
    return bootstrap_interval(replicates, child_seed(seed, "seeds"))


def score_difference(
    metric: ComparableMetric, truth: ArrayLike, a: ArrayLike, b: ArrayLike, seed: int = 0, n_resamples: int = 2000
) -> Difference:
    """Return how much higher a scores than b, over the same seeds and texts; both are (n_seeds, n_texts).

    The interval is that of `score_interval`, of the paired differences. p is exact for a metric that is a mean over
    texts (`paired_difference`); for others it is that of a randomization test (`randomization_p`).
    """
    (labels, first), (_, second) = _checked(truth, a), _checked(truth, b)
    if first.shape != second.shape:
        raise InputError(f"a, b: must have the same seeds and texts, but got shapes {first.shape} and {second.shape}.")
    if metric.is_correct is not None:
        return paired_difference(metric.is_correct(labels, first), metric.is_correct(labels, second), seed, n_resamples)
    text_seed = child_seed(seed, "texts")
    replicates = [bootstrap_replicates(metric, labels, each, n_resamples, text_seed) for each in (first, second)]
    interval = bootstrap_interval(replicates[0] - replicates[1], child_seed(seed, "seeds"))
    p = randomization_p(metric, labels, first, second, child_seed(seed, "exchanges"), n_resamples)
    return Difference(interval.mean, interval.low, interval.high, p)


def bootstrap_replicates(
    metric: ComparableMetric, truth: ArrayLike, predicted: ArrayLike, n_resamples: int, seed: int
) -> Replicates:
    """Return a metric on all texts and on each resample, by fit seed.

    `truth` is (n_texts,), `predicted` (n_seeds, n_texts). The resamples depend on `seed` and the number of texts
    alone, so the replicates of several schemes are paired.
    """
    labels, predictions = _checked(truth, predicted)
    n_texts = len(labels)
    rng, even = np.random.default_rng(seed), np.full(n_texts, 1 / n_texts)
    resamples = (rng.multinomial(n_texts, even, size=n).astype(np.float64) for n in _batches(n_resamples, n_texts))
    return np.concatenate(
        [
            np.stack([metric.weighted(labels, row, weights) for row in predictions], axis=1)  # (n_sets, n_seeds)
            for weights in chain([np.ones((1, n_texts))], resamples)
        ]
    )


def combine_replicates(
    by_task: Mapping[str, Replicates], combine: Callable[[Mapping[str, float]], float]
) -> Replicates:
    """Return the overall score of several tasks, made by `combine` in each resample and for each fit seed."""
    stacked = np.stack(list(by_task.values()), axis=-1)  # (1 + n_resamples, n_seeds, n_tasks)
    rows = stacked.reshape(-1, len(by_task)).tolist()
    return np.array([combine(dict(zip(by_task, scores, strict=True))) for scores in rows]).reshape(stacked.shape[:-1])


def bootstrap_interval(replicates: Replicates, seed: int) -> Interval:
    """Return the mean over fit seeds on all texts, with its 95 % interval from resampling seeds and texts.

    Seeds are resampled as in `crossed_bootstrap`. Replicates that are to be compared need the same `seed`.
    """
    mean = float(replicates[0].mean())
    weights = seed_weights(replicates.shape[1], len(replicates) - 1, np.random.default_rng(seed))
    quantiles = [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2]
    low, high = np.quantile((replicates[1:] * weights).sum(1), quantiles)
    least, most = float(replicates.min()), float(replicates.max())  # stretched seed weights may overshoot
    return Interval(mean, min(max(float(low), least), mean), max(min(float(high), most), mean))


def randomization_p(
    metric: ComparableMetric, truth: Labels, a: Labels, b: Labels, seed: int, n_permutations: int
) -> float:
    """Return the two-sided p of the approximate randomization test (Noreen 1989; for F1, Yeh 2000).

    If two schemes are equally good, each text's predictions could come from either. For a random half of the texts the
    predictions are exchanged, all seeds together; p is how often the metrics then differ as much as observed. Riezler
    and Maxwell (2005) found that this test keeps its level where a bootstrap test rejects too often; it needs no
    variance of the metric. Scores are rescaled first: a correlation ignores a scheme's scale, and an exchange would mix
    the scales. The observed labelling counts as one of the permutations, so p is never 0 (Phipson and Smyth 2010).

    In a simulation of 1000 rounds of equal schemes on 200 texts, 4.2 to 5.5 % of p are below .05 for every metric, also
    where one scheme's scores are ten times as wide or transformed. Two schemes with the same F1 by different mistakes
    (recall .7 and .9) do not quite satisfy the null hypothesis: 6.3 %. With seeds that differ, p alone rejects 11 to
    18 %; together with the interval, as in `verdict`, 0.7 to 2.7 % with two or three seeds.
    """
    twice = np.concatenate([truth, truth])
    pairs = [np.concatenate([metric.rescale(x), metric.rescale(y)]) for x, y in zip(a, b, strict=True)]

    def differences(is_exchanged: Labels) -> Floats:
        kept = np.concatenate([~is_exchanged, is_exchanged], axis=1).astype(np.float64)
        by_seed = [metric.weighted(twice, pair, kept) - metric.weighted(twice, pair, 1 - kept) for pair in pairs]
        return np.asarray(np.mean(by_seed, axis=0))

    observed = abs(differences(np.zeros((1, len(truth)), dtype=bool))[0])
    rng = np.random.default_rng(seed)
    n_extreme = sum(
        int((np.abs(differences(rng.random((n, len(truth))) < 0.5)) >= observed - 1e-12).sum())
        for n in _batches(n_permutations, 2 * len(truth))
    )
    return (1 + n_extreme) / (1 + n_permutations)


def _batches(n: int, n_texts: int) -> Iterator[int]:
    """Yield the sizes of the batches in which n weight vectors fit into memory."""
    size = max(1, _MAX_WEIGHTS // n_texts)
    yield from (min(size, n - start) for start in range(0, n, size))


def _checked(truth: ArrayLike, predicted: ArrayLike) -> tuple[Labels, Labels]:
    labels, predictions = as_matrix([np.asarray(truth)])[0], as_matrix(predicted)
    if predictions.shape[1:] != labels.shape:
        raise InputError(
            f"predicted: must have one column for each of the {len(labels)} texts, but got shape {predictions.shape}."
        )
    return labels, predictions
