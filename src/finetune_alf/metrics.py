"""Scores of predictions against the truth, by name."""

from collections.abc import Callable, Sequence

import numpy as np


def accuracy(truth: Sequence[int], predicted: Sequence[int]) -> float:
    """Return the share of texts whose class was predicted, in [0, 1]."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def balanced_accuracy(truth: Sequence[int], predicted: Sequence[int]) -> float:
    """Return the mean over the classes that occur of each one's recall, in [0, 1]."""
    true, said = np.asarray(truth), np.asarray(predicted)
    return float(np.mean([np.mean(said[true == label] == label) for label in np.unique(true)]))


METRICS: dict[str, Callable[[Sequence[int], Sequence[int]], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
}
"""What a study can maximise."""
