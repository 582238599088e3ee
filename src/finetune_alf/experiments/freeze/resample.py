"""Scores by fit seed, on all texts and on resamples of them, and intervals for what is made of such scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from finetune_alf.metrics import METRICS
from finetune_alf.stats import Interval
from finetune_alf.stats.measured import interval_of, resampled
from finetune_alf.stats.weighted import Floats

BySeed = Mapping[int, Floats]
"""Fit seed -> a value on all texts, then on each resample of them, (1 + n_resamples,)."""


def scores_by_seed(
    metric: str, truth: Sequence[float], predicted: Mapping[int, Sequence[float]], n_resamples: int, seed: int
) -> dict[int, Floats]:
    """Return the metric of each fit, on all texts and on resamples of them; nothing where there is no fit.

    The resamples are the same for all calls with the same seed and number of texts, so that what is made of the scores
    of several fits is paired.
    """
    if not predicted:
        return {}
    values = resampled(METRICS[metric], truth, list(predicted.values()), n_resamples, seed)
    return dict(zip(predicted, values.T, strict=True))


def interval(values: BySeed, seed: int) -> Interval:
    """Return the mean over seeds on all texts, and the 95 % interval from resampling seeds and texts (`interval_of`).

    One seed says nothing of seeds, and the interval is over texts alone. What is to be compared with another interval
    must have the same seeds and the same `seed`.
    """
    return interval_of(np.stack(list(values.values()), axis=1), seed)
