"""Metrics with weights on the texts, for many weight vectors at once, in pure numpy: what leaves texts out.

Each function takes the true labels (n,), the predictions (n,) and weights (n_sets, n), and returns the metric of every
weighted set, (n_sets,). An undefined metric is 0, as in `metrics.py`: with whole-number weights the values are those of
`metrics.py` on texts repeated as often as their weight.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[Any]
"""True or predicted labels: classes, scores, or for sets of classes 0 and 1, (n, classes)."""

WeightedMetric = Callable[[Labels, Labels, Floats], Floats]

_EPSILON = 1e-12  # values whose variance is below this part of their largest square are constant


def accuracy(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the share of texts whose class was predicted."""
    return _ratio(weights @ (truth == predicted), weights.sum(1))


def balanced_accuracy(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the mean recall over the classes that occur in a set."""
    hits, true, _ = _class_weights(truth, predicted, weights)
    return _ratio(_ratio(hits, true).sum(1), (true > 0).sum(1))


def binary_f1(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the F1 of class 1."""
    true, positive = truth == 1, predicted == 1
    return _ratio(2 * (weights @ (true & positive)), weights @ true + weights @ positive)


def macro_f1(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the mean F1 over the classes that occur or are predicted in a set."""
    hits, true, positive = _class_weights(truth, predicted, weights)
    return _ratio(_ratio(2 * hits, true + positive).sum(1), (true + positive > 0).sum(1))


def matthews(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the Matthews correlation; for several classes in Gorodkin's form (2004)."""
    hits, true, positive = _class_weights(truth, predicted, weights)
    total = weights.sum(1)
    covariance = hits.sum(1) * total - (true * positive).sum(1)
    variances = (total**2 - (true**2).sum(1)) * (total**2 - (positive**2).sum(1))
    return _ratio(covariance, np.sqrt(variances))


def micro_f1(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the F1 of all pairs of a text and a class."""
    hits, true, positive = _class_weights(truth, predicted, weights)
    return _ratio(2 * hits.sum(1), (true + positive).sum(1))


def subset_accuracy(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the share of texts whose classes are all predicted, and no other."""
    return _ratio(weights @ (truth == predicted).all(1), weights.sum(1))


def pearson(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the linear correlation."""
    x, y = (values - values.mean() for values in (truth, predicted))
    return _correlation(x[None], y[None], weights)


def spearman(truth: Labels, predicted: Labels, weights: Floats) -> Floats:
    """Return the rank correlation; ties share their mean rank in each set."""
    return _correlation(_ranks(truth, weights), _ranks(predicted, weights), weights)


def _class_weights(truth: Labels, predicted: Labels, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the weight of each class's true positives, of its true labels, and of its predictions."""
    true, positive = truth > 0, predicted > 0  # (n, classes), as sets of classes are
    if truth.ndim == 1:
        classes = np.union1d(truth, predicted)
        true, positive = (labels[:, None] == classes for labels in (truth, predicted))
    return weights @ (true & positive), weights @ true, weights @ positive  # (n_sets, classes) each


def _ranks(values: Labels, weights: Floats) -> Floats:
    """Return each text's rank in each set, (n_sets, n), as if it occurred as often as its weight."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)  # of each group of equal values
    group = np.add.reduceat(weights[:, order], starts, axis=1)  # (n_sets, groups)
    mean_rank = np.cumsum(group, axis=1) - (group - 1) / 2
    group_of = np.empty(len(values), dtype=np.intp)
    group_of[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
    return np.asarray(mean_rank[:, group_of])


def _correlation(x: Floats, y: Floats, weights: Floats) -> Floats:
    total = weights.sum(1, keepdims=True)
    dx, dy = (values - _ratio((weights * values).sum(1, keepdims=True), total) for values in (x, y))
    covariance, var_x, var_y = ((weights * product).sum(1) for product in (dx * dy, dx**2, dy**2))
    is_constant = [
        variance <= _EPSILON * total[:, 0] * np.abs(values).max(1) ** 2 for variance, values in ((var_x, x), (var_y, y))
    ]
    return np.where(is_constant[0] | is_constant[1], 0.0, _ratio(covariance, np.sqrt(var_x * var_y)))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
