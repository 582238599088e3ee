"""Metrics by name, from scikit-learn and SciPy, which are imported when a metric needs them.

A metric that is undefined, such as a correlation of constant predictions, is 0.0 and never NaN: a search needs a score
of every trial. Metrics of many weighted sets of texts at once are in `stats/weighted.py`.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_alf.metric_names import PROBLEM_TYPES, Label, ProblemType
from finetune_alf.stats import weighted


def accuracy(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the fraction of texts whose class is predicted, in [0, 1]."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def balanced_accuracy(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the mean recall of the classes in `truth`, in [0, 1]."""
    true, guessed = np.asarray(truth), np.asarray(predicted)
    return float(np.mean([np.mean(guessed[true == label] == label) for label in np.unique(true)]))


def binary_f1(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return F1 of class 1, in [0, 1].

    It is 0.0 where undefined: class 1 is neither true nor predicted anywhere.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(truth, predicted, labels=[1], average="macro", zero_division=0.0))


def macro_f1(truth: Sequence[Label], predicted: Sequence[Label]) -> float:
    """Return the mean F1 over the classes that occur or are predicted, in [0, 1]; 0.0 without any."""
    from sklearn.metrics import f1_score

    true, guessed = label_arrays((truth, predicted))
    classes = None if true.ndim == 1 else np.flatnonzero((true + guessed).any(0))
    if classes is not None and not len(classes):
        return 0.0
    return float(f1_score(true, guessed, labels=classes, average="macro", zero_division=0.0))


def micro_f1(truth: Sequence[Label], predicted: Sequence[Label]) -> float:
    """Return F1 over all pairs of a text and a class, in [0, 1]; 0.0 where no text has or is given a class."""
    from sklearn.metrics import f1_score

    return float(f1_score(*label_arrays((truth, predicted)), average="micro", zero_division=0.0))


def subset_accuracy(truth: Sequence[Label], predicted: Sequence[Label]) -> float:
    """Return the fraction of texts whose classes are all predicted, and no other, in [0, 1]."""
    return float(np.mean([true == guessed for true, guessed in zip(truth, predicted, strict=True)]))


def label_arrays(columns: Sequence[Sequence[Any]]) -> list[NDArray[Any]]:
    """Return labels as arrays, (n,) each; sets of classes as 0 and 1, (n, classes), up to the highest class of all."""
    if not len(columns[0]) or not isinstance(columns[0][0], tuple):
        return [np.asarray(labels) for labels in columns]
    width = max((max(one) + 1 for labels in columns for one in labels if one), default=2)
    found = [np.zeros((len(labels), max(width, 2)), dtype=np.int64) for labels in columns]
    for rows, labels in zip(found, columns, strict=True):
        for row, one in zip(rows, labels, strict=True):
            row[list(one)] = 1
    return found


def matthews(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return Matthews' correlation of classes, in [-1, 1].

    It is 0.0 where undefined: all true classes are the same, or all predicted ones.
    """
    from sklearn.metrics import matthews_corrcoef

    return 0.0 if _is_constant(truth, predicted) else float(matthews_corrcoef(truth, predicted))


def pearson(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return Pearson's linear correlation of scores, in [-1, 1].

    It is 0.0 where undefined: all true scores are the same, or all predicted ones.
    """
    from scipy.stats import pearsonr

    return 0.0 if _is_constant(truth, predicted) else _finite(pearsonr, truth, predicted)


def spearman(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return Spearman's rank correlation of scores, in [-1, 1].

    It is 0.0 where undefined: all true scores are the same, or all predicted ones.
    """
    from scipy.stats import spearmanr

    return 0.0 if _is_constant(truth, predicted) else _finite(spearmanr, truth, predicted)


@dataclass(frozen=True)
class Metric:
    """A metric on one sample: `sample_metric(name, n_classes)(truth, predicted)` is its value.

    The last three are what `stats/scores.py` needs: `weighted` computes it on many weighted sets of texts at once;
    `is_correct`, for a metric that is a mean over texts, says whether each prediction is correct; `bounds` are the
    lowest and the highest value.
    """

    name: str
    value: Callable[[Sequence[Any], Sequence[Any]], float]
    weighted: weighted.WeightedMetric
    is_correct: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    def __call__(self, truth: Sequence[Label], predicted: Sequence[Label]) -> float:
        """Return the metric of these predictions."""
        return self.value(truth, predicted)

    def problem_type(self, truth: Sequence[Label]) -> ProblemType:
        """Return whether these labels are classes, sets of them, or scores."""
        own = PROBLEM_TYPES[self.name]
        return "multi_label" if "multi_label" in own and isinstance(truth[0], tuple) else own[0]


ACCURACY = Metric("accuracy", accuracy, weighted.accuracy, is_correct=np.equal)
BALANCED_ACCURACY = Metric("balanced_accuracy", balanced_accuracy, weighted.balanced_accuracy)
_BINARY_F1 = Metric("f1", binary_f1, weighted.binary_f1)
_ALL = (
    ACCURACY,
    BALANCED_ACCURACY,
    Metric("f1", macro_f1, weighted.macro_f1),
    Metric("micro_f1", micro_f1, weighted.micro_f1),
    Metric("macro_f1", macro_f1, weighted.macro_f1),
    Metric("matthews", matthews, weighted.matthews, bounds=(-1.0, 1.0)),
    Metric(
        "subset_accuracy",
        subset_accuracy,
        weighted.subset_accuracy,
        is_correct=lambda truth, predicted: (truth == predicted).all(-1),
    ),
    Metric("pearson", pearson, weighted.pearson, bounds=(-1.0, 1.0)),
    Metric("spearman", spearman, weighted.spearman, bounds=(-1.0, 1.0)),
)
_BY_NAME = {metric.name: metric for metric in _ALL}


def sample_metric(name: str, n_classes: int) -> Metric:
    """Return a metric on a sample of this many classes, 0 for scores: f1 is that of class 1 where there are two.

    A split may show fewer classes than its sample has, so it does not follow from labels and predictions.
    """
    return _BINARY_F1 if name == "f1" and n_classes == 2 else _BY_NAME[name]


def majority_baseline(metric: Metric, truth: Sequence[Label]) -> float:
    """Return the score of constant predictions, the baseline of every comparison."""
    return metric(truth, constant_predictions(metric, truth))


def constant_predictions(metric: Metric, truth: Sequence[Label]) -> list[Label]:
    """Return the most frequent class, the mean score, or the best constant set, as the prediction for every text.

    That set is the most frequent one, or as many of the most frequent classes as score highest.
    """
    return [_CONSTANT[metric.problem_type(truth)](metric, truth)] * len(truth)


def _best_constant_set(metric: Metric, truth: Sequence[Label]) -> Label:
    (true,) = label_arrays((truth,))
    by_frequency = np.argsort(-true.sum(0), kind="stable").tolist()
    most_frequent = [tuple(sorted(by_frequency[: n + 1])) for n in range(len(by_frequency))]
    candidates = [Counter(truth).most_common(1)[0][0], *most_frequent]
    return max(candidates, key=lambda constant: metric(truth, [constant] * len(truth)))


_CONSTANT: Mapping[ProblemType, Callable[[Metric, Sequence[Label]], Label]] = {
    "classification": lambda _, truth: Counter(truth).most_common(1)[0][0],
    "multi_label": _best_constant_set,
    "regression": lambda _, truth: float(np.mean(np.asarray(truth))),
}


def _is_constant(*columns: Sequence[float]) -> bool:
    return any(np.ptp(np.asarray(values)) == 0 for values in columns)


def _finite(correlation: Callable[..., Any], truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return SciPy's correlation, or 0.0 where it overflows or underflows to NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(correlation(truth, predicted).statistic)
    return value if np.isfinite(value) else 0.0
