"""Intervals for scores and for what is made of them, over fresh seeds and fresh texts."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune_alf.metrics import METRICS
from finetune_alf.stats import Interval
from finetune_alf.stats.intervals import LEVEL, seed_weights

Floats = NDArray[np.float64]
BySeed = Mapping[int, Floats]
"""Fit seed -> a value on all texts, then on each resample of them, (1 + n_resamples,)."""

_CELLS_AT_ONCE = 2_000_000  # weights of texts at a time: 16 MB


def scores_by_seed(
    metric: str, truth: Sequence[float], predicted: Mapping[int, Sequence[float]], n_resamples: int, seed: int
) -> dict[int, Floats]:
    """Return the metric of each fit, on all texts and on resamples of them.

    The resamples are the same for all calls with the same seed and number of texts, so that what is made of the scores
    of several fits is paired.
    """
    true = np.asarray(truth)
    said = {fit_seed: np.asarray(answers) for fit_seed, answers in predicted.items()}
    drawn: dict[int, list[Floats]] = {fit_seed: [] for fit_seed in said}
    for weights in _weights(len(true), n_resamples, np.random.default_rng(seed)):
        for fit_seed, answers in said.items():
            drawn[fit_seed].append(METRICS[metric].weighted(true, answers, weights))
    return {fit_seed: np.concatenate(parts) for fit_seed, parts in drawn.items()}


def interval(values: BySeed, seed: int) -> Interval:
    """Return the mean over seeds on all texts, and the 95 % interval from resampling seeds and texts.

    Seeds are resampled as in `stats.crossed_bootstrap`; one seed says nothing of seeds, and the interval is over texts
    alone. What is to be compared with another interval must have the same seeds and the same `seed`.
    """
    table = np.stack(list(values.values()), axis=1)  # (1 + n_resamples, n_seeds)
    mean = float(table[0].mean())
    by_seed = seed_weights(table.shape[1], len(table) - 1, np.random.default_rng(seed))
    low, high = np.quantile((table[1:] * by_seed).sum(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    least, most = float(table.min()), float(table.max())  # stretched weights of seeds may reach farther
    return Interval(mean, min(max(float(low), least), mean), max(min(float(high), most), mean))


def _weights(n_texts: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield how often each text counts: once, then in each resample, some resamples at a time."""
    yield np.ones((1, n_texts))
    even = np.full(n_texts, 1 / n_texts)
    at_once = max(1, _CELLS_AT_ONCE // n_texts)
    for start in range(0, n_resamples, at_once):
        size = min(at_once, n_resamples - start)
        yield rng.multinomial(n_texts, even, size=size).astype(np.float64)
