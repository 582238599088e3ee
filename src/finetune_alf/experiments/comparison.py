"""Comparisons: scores with intervals, paired differences from a reference, and verdicts, for all experiments alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TypeVar

import numpy as np

from finetune_alf.documents import Estimate
from finetune_alf.metrics import Metric
from finetune_alf.stats import Difference, Interval, holm, score_difference, score_interval, verdict
from finetune_alf.stats.bootstrap import bootstrap_interval, bootstrap_replicates
from finetune_alf.stats.weighted import Floats

K = TypeVar("K")

Predictions = Mapping[int, Sequence[float]]
"""Fit seed -> the class or score predicted for each text; diverged fits have no predictions and no entry."""

SeedValues = Mapping[int, Floats]
"""Fit seed -> a value on all texts, then on each resample of them, (1 + n_resamples,)."""


class SeedsScore(Estimate):
    """A mean score over seeds with its interval, and the seeds' standard deviation where there are several."""

    sd_seeds: float | None


class ComparedDifference(Estimate):
    """A paired difference from the reference, tested; `p_holm` is corrected over its family."""

    p: float
    p_holm: float
    verdict: str


def score_of(
    metric: Metric, truth: Sequence[float], predictions: Predictions, n_resamples: int, seed: int
) -> SeedsScore:
    """Return the mean score over seeds; the interval is from resampling seeds and texts with this `seed`."""
    rows = _by_seed(predictions)
    interval = score_interval(metric, truth, rows, n_resamples, seed)
    return with_spread(interval, [metric(truth, row) for row in rows])


def with_spread(interval: Interval, scores: Sequence[float]) -> SeedsScore:
    """Return an interval together with the standard deviation of the seeds' scores."""
    spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    return SeedsScore(**asdict(interval), sd_seeds=spread)


def compare_with(
    reference: K,
    metric: Metric,
    truth: Sequence[float],
    predictions: Mapping[K, Predictions],
    n_resamples: int,
    seed_of: Callable[[K], int],
) -> dict[K, ComparedDifference]:
    """Return the difference of each from the reference, on the same texts and on the seeds that both have.

    p values are corrected (Holm 1979) over all of them. What shares no seed with the reference is left out.
    """
    differences: dict[K, Difference] = {}
    base = predictions.get(reference, {})
    for key, own in predictions.items():
        shared = sorted(set(own) & set(base))
        if key != reference and shared:
            ours, theirs = ([each[seed] for seed in shared] for each in (own, base))
            differences[key] = score_difference(metric, truth, ours, theirs, seed_of(key), n_resamples)
    adjusted = holm([difference.p for difference in differences.values()])
    return {
        key: ComparedDifference(**asdict(difference), p_holm=p_holm, verdict=verdict(difference, p_holm))
        for (key, difference), p_holm in zip(differences.items(), adjusted, strict=True)
    }


def resampled_scores(
    metric: Metric, truth: Sequence[float], predictions: Predictions, n_resamples: int, seed: int
) -> dict[int, Floats]:
    """Return the metric of each fit, on all texts and on resamples of them; nothing where there is no fit.

    The resamples are the same for all calls with the same seed and number of texts, so that what is made of the scores
    of several fits is paired.
    """
    if not predictions:
        return {}
    values = bootstrap_replicates(metric, truth, list(predictions.values()), n_resamples, seed)
    return dict(zip(predictions, values.T, strict=True))


def seeds_interval(values: SeedValues, seed: int) -> Interval:
    """Return the mean over seeds on all texts, and its 95 % `bootstrap_interval` from resampling seeds and texts.

    One seed says nothing of seeds, and the interval is over texts alone. What is to be compared with another interval
    must have the same seeds and the same `seed`.
    """
    return bootstrap_interval(np.stack(list(values.values()), axis=1), seed)


def _by_seed(predictions: Predictions) -> list[Sequence[float]]:
    return [predictions[seed] for seed in sorted(predictions)]
