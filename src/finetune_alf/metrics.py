"""Metrics by name, from scikit-learn and SciPy, which are imported when a metric needs them.

A metric that is undefined, such as a correlation of constant predictions, is 0.0 and never NaN: a search needs a score
of every trial. Metrics of many weighted sets of texts at once are in `stats/weighted.py`.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from finetune_alf.stats import weighted

ProblemType = Literal["classification", "regression"]
"""Whether a label is one class of several, or a number; transformers' `problem_type`."""

MetricName = Literal["accuracy", "balanced_accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman"]


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


def macro_f1(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the mean F1 over the classes that occur or are predicted, in [0, 1]."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, predicted, average="macro", zero_division=0.0))


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
    value: Callable[[Sequence[float], Sequence[float]], float]
    weighted: weighted.WeightedMetric
    is_correct: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None = None
    bounds: tuple[float, float] = (0.0, 1.0)

    def __call__(self, truth: Sequence[float], predicted: Sequence[float]) -> float:
        """Return the metric of these predictions."""
        return self.value(truth, predicted)

    @property
    def problem_type(self) -> ProblemType:
        """Whether it is for classes or for scores."""
        return PROBLEM_TYPES[self.name]


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    "accuracy": "classification",
    "balanced_accuracy": "classification",
    "f1": "classification",
    "macro_f1": "classification",
    "matthews": "classification",
    "pearson": "regression",
    "spearman": "regression",
}
"""The metrics that a study can maximise, by name, and the labels that each is for."""

ACCURACY = Metric("accuracy", accuracy, weighted.accuracy, is_correct=np.equal)
BALANCED_ACCURACY = Metric("balanced_accuracy", balanced_accuracy, weighted.balanced_accuracy)
_BINARY_F1 = Metric("f1", binary_f1, weighted.binary_f1)
_ALL = (
    ACCURACY,
    BALANCED_ACCURACY,
    Metric("f1", macro_f1, weighted.macro_f1),
    Metric("macro_f1", macro_f1, weighted.macro_f1),
    Metric("matthews", matthews, weighted.matthews, bounds=(-1.0, 1.0)),
    Metric("pearson", pearson, weighted.pearson, bounds=(-1.0, 1.0)),
    Metric("spearman", spearman, weighted.spearman, bounds=(-1.0, 1.0)),
)
_BY_NAME = {metric.name: metric for metric in _ALL}


def sample_metric(name: str, n_classes: int) -> Metric:
    """Return a metric on a sample of this many classes, 0 for scores: f1 is that of class 1 where there are two.

    A split may show fewer classes than its sample has, so it does not follow from labels and predictions.
    """
    return _BINARY_F1 if name == "f1" and n_classes == 2 else _BY_NAME[name]


def metrics_for(problem_type: ProblemType) -> tuple[str, ...]:
    """Return the names of the metrics for a problem type."""
    return tuple(name for name, its_type in PROBLEM_TYPES.items() if its_type == problem_type)


def majority_baseline(metric: Metric, truth: Sequence[float]) -> float:
    """Return the score of constant predictions, the baseline of every comparison."""
    return metric(truth, constant_predictions(metric, truth))


def constant_predictions(metric: Metric, truth: Sequence[float]) -> list[float]:
    """Return the most frequent class, or the mean score, as the prediction for every text."""
    is_classification = metric.problem_type == "classification"
    constant = Counter(truth).most_common(1)[0][0] if is_classification else float(np.mean(truth))
    return [constant] * len(truth)


def _is_constant(*columns: Sequence[float]) -> bool:
    return any(np.ptp(np.asarray(values)) == 0 for values in columns)


def _finite(correlation: Callable[..., Any], truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return SciPy's correlation, or 0.0 where it overflows or underflows to NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(correlation(truth, predicted).statistic)
    return value if np.isfinite(value) else 0.0
