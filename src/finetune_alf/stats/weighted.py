"""Metrics of many weighted sets of answers at once, pure numpy: what resampling and exchanging answers both come to.

Each function takes the truth (n,), what was predicted (n,), and weights (n_sets, n), how often each text counts in each
set, and returns the metric of every set, (n_sets,). Where it is undefined it is 0, as in `metrics.py`, whose functions
these agree with on texts repeated as often as they weigh.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Answers = NDArray[Any]
Weighted = Callable[[Answers, Answers, Floats], Floats]

_ROUNDING = 1e-12  # a variance below this part of the largest square is that of a constant


def share_right(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the share of texts whose class was predicted."""
    return _ratio(weights @ (truth == predicted), weights.sum(1))


def mean_recall(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the mean, over the classes that occur in a set, of each one's recall."""
    right, true, _ = _counts(truth, predicted, weights)
    return _ratio(_ratio(right, true).sum(1), (true > 0).sum(1))


def f1(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the F1 of class 1 where the classes are 0 and 1, else the mean over those that occur or are predicted."""
    right, true, said = _counts(truth, predicted, weights)
    each = _ratio(2 * right, true + said)
    if not _is_binary(truth, predicted):
        return _ratio(each.sum(1), (true + said > 0).sum(1))
    return each[:, 1] if each.shape[1] > 1 else _class_1_alone(truth, predicted, each[:, 0])


def matthews(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the Matthews correlation, of several classes in Gorodkin's form (2004)."""
    right, true, said = _counts(truth, predicted, weights)
    total = weights.sum(1)
    shared = right.sum(1) * total - (true * said).sum(1)
    spread = (total**2 - (true**2).sum(1)) * (total**2 - (said**2).sum(1))
    return _ratio(shared, np.sqrt(spread))


def pearson(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the linear correlation."""
    x, y = (values - values.mean() for values in (truth, predicted))
    return _correlation(x[None], y[None], weights)


def spearman(truth: Answers, predicted: Answers, weights: Floats) -> Floats:
    """Return the rank correlation; in each set ties share their mean rank."""
    return _correlation(_ranks(truth, weights), _ranks(predicted, weights), weights)


def _counts(truth: Answers, predicted: Answers, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return how much weight each class has where it is right, where it is true, and where it is predicted."""
    classes = np.union1d(truth, predicted)
    true, said = (answers[:, None] == classes for answers in (truth, predicted))  # (n, classes)
    return weights @ (true & said), weights @ true, weights @ said  # (n_sets, classes) each


def _is_binary(truth: Answers, predicted: Answers) -> bool:
    return bool(max(truth.max(), predicted.max()) <= 1)


def _class_1_alone(truth: Answers, predicted: Answers, value: Floats) -> Floats:
    """Return the F1 of class 1 where one class alone occurs: its own, or 0 if it is the other."""
    return value if truth[0] == 1 else np.zeros_like(value)


def _ranks(values: Answers, weights: Floats) -> Floats:
    """Return each text's rank in each set, (n_sets, n), as if it stood there as often as it weighs."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)  # of each group of equal values
    group = np.add.reduceat(weights[:, order], starts, axis=1)  # (n_sets, groups)
    middle = np.cumsum(group, axis=1) - (group - 1) / 2
    place = np.empty(len(values), dtype=np.intp)
    place[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))
    return np.asarray(middle[:, place])


def _correlation(x: Floats, y: Floats, weights: Floats) -> Floats:
    total = weights.sum(1, keepdims=True)
    one, other = (values - _ratio((weights * values).sum(1, keepdims=True), total) for values in (x, y))
    both, first, second = ((weights * product).sum(1) for product in (one * other, one**2, other**2))
    is_constant = [
        square <= _ROUNDING * total[:, 0] * np.abs(values).max(1) ** 2 for square, values in ((first, x), (second, y))
    ]
    return np.where(is_constant[0] | is_constant[1], 0.0, _ratio(both, np.sqrt(first * second)))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
