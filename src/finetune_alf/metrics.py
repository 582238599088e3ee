"""Scores of predictions against the truth, by name: from scikit-learn and SciPy, imported when a metric needs them.

An undefined metric is 0.0, never NaN: who names one class for every text, or one score, has told no text from another,
and a correlation of 0 says just that. A search can go on from such a score. What intervals and tests want of a metric,
many resamples at once, is `stats/weighted.py`.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from finetune_alf.stats import weighted

LabelKind = Literal["classes", "score"]
"""What a text's label is: one class of several, or a number."""

MetricName = Literal["accuracy", "balanced_accuracy", "f1", "matthews", "pearson", "spearman"]


def accuracy(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the share of texts whose class was predicted, in [0, 1]."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def balanced_accuracy(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the mean over the classes that occur of each one's recall, in [0, 1]."""
    true, said = np.asarray(truth), np.asarray(predicted)
    return float(np.mean([np.mean(said[true == label] == label) for label in np.unique(true)]))


def f1(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return F1 of the second class, 1, where the classes are 0 and 1, else its mean over those that occur, in [0, 1].

    Undefined, so 0.0: class 1 is neither true nor predicted anywhere.
    """
    from sklearn.metrics import f1_score

    labels = [1] if max(max(truth), max(predicted)) <= 1 else None
    return float(f1_score(truth, predicted, labels=labels, average="macro", zero_division=0.0))


def matthews(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the Matthews correlation of classes, in [-1, 1].

    Undefined, so 0.0: one class alone is true, or predicted.
    """
    from sklearn.metrics import matthews_corrcoef

    return 0.0 if _is_constant(truth, predicted) else float(matthews_corrcoef(truth, predicted))


def pearson(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the linear correlation of scores, in [-1, 1].

    Undefined, so 0.0: all true scores are the same, or all predicted.
    """
    from scipy.stats import pearsonr

    return 0.0 if _is_constant(truth, predicted) else _finite(pearsonr, truth, predicted)


def spearman(truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return the rank correlation of scores, in [-1, 1].

    Undefined, so 0.0: all true scores are the same, or all predicted.
    """
    from scipy.stats import spearmanr

    return 0.0 if _is_constant(truth, predicted) else _finite(spearmanr, truth, predicted)


@dataclass(frozen=True)
class Metric:
    """A metric: `METRICS[name](truth, predicted)` is its value.

    `of` says what labels it is for. `weighted` gives it for many resamples at once; `right` says, of a metric that is a
    mean over texts, whether each text is right; `aligned` puts predictions on the scale that all schemes share, which
    leaves the metric as it is. These three are what `stats/measured.py` asks for.
    """

    of: LabelKind
    value: Callable[[Sequence[float], Sequence[float]], float]
    weighted: weighted.Weighted
    right: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]] | None = None
    aligned: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray

    def __call__(self, truth: Sequence[float], predicted: Sequence[float]) -> float:
        """Return the metric of these predictions."""
        return self.value(truth, predicted)


def _standardised(scores: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((scores - scores.mean()) / (scores.std() or 1.0))


def _ranked(scores: NDArray[Any]) -> NDArray[Any]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(scores))


METRICS: dict[str, Metric] = {
    "accuracy": Metric("classes", accuracy, weighted.share_right, right=np.equal),
    "balanced_accuracy": Metric("classes", balanced_accuracy, weighted.mean_recall),
    "f1": Metric("classes", f1, weighted.f1),
    "matthews": Metric("classes", matthews, weighted.matthews),
    "pearson": Metric("score", pearson, weighted.pearson, aligned=_standardised),
    "spearman": Metric("score", spearman, weighted.spearman, aligned=_ranked),
}
"""What a study can maximise, by its name; for all of them more is better."""


def metrics_of(kind: LabelKind) -> tuple[str, ...]:
    """Return the names of the metrics for this kind of label."""
    return tuple(name for name, metric in METRICS.items() if metric.of == kind)


def majority_baseline(metric: str, truth: Sequence[float]) -> float:
    """Return what always naming the commonest class would score, or the mean score: what has to be beaten."""
    return METRICS[metric](truth, constant_predictions(metric, truth))


def constant_predictions(metric: str, truth: Sequence[float]) -> list[float]:
    """Return the commonest class for every text, or the mean score: what `majority` scores."""
    guess = Counter(truth).most_common(1)[0][0] if METRICS[metric].of == "classes" else float(np.mean(truth))
    return [guess] * len(truth)


def _is_constant(*answers: Sequence[float]) -> bool:
    return any(np.ptp(np.asarray(values)) == 0 for values in answers)


def _finite(correlation: Callable[..., Any], truth: Sequence[float], predicted: Sequence[float]) -> float:
    """Return SciPy's correlation; 0.0 where numbers so large or so close that it has none came in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(correlation(truth, predicted).statistic)
    return value if np.isfinite(value) else 0.0
