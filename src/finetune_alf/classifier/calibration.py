"""Calibration: the temperature of a classifier's probabilities, and how far they are from what comes true. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetune_alf.metric_names import ProblemType
from finetune_alf.spec import Spec

N_BINS = 15
"""Bins of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""

TEMPERATURES = (0.05, 20.0)
"""The lowest and the highest temperature that is tried."""


class Bin(Spec):
    """Predictions of similar confidence: how many, their mean confidence, and the share of them that is right."""

    n: int
    confidence: float
    accuracy: float


class Calibration(Spec):
    """A temperature found on the validation split, and the calibration error before and after it on `measured_on`.

    An error is the mean distance between confidence and accuracy over the bins, weighted by their size.
    """

    temperature: float
    n_texts: int
    measured_on: str
    error_before: float
    error_after: float
    bins_before: tuple[Bin, ...]
    bins_after: tuple[Bin, ...]


def _each_class(logits: NDArray[np.float64], labels: Sequence[Any]) -> tuple[NDArray[np.float64], Sequence[Any]]:
    """Return a decision between no and yes for each text and class."""
    yes = logits.ravel()
    has_class = [int(index in own) for own in labels for index in range(logits.shape[1])]
    return np.stack([np.zeros_like(yes), yes], axis=1), has_class


_DECISIONS: Mapping[ProblemType, Callable[..., tuple[NDArray[np.float64], Sequence[Any]]]] = {
    "classification": lambda logits, labels: (logits, labels),
    "multi_label": _each_class,
}
"""The decisions that logits and labels are about, as logits (n, options) and the right options: one for each text, or
for each of its classes."""


def calibration_of(
    temperature: float,
    logits: NDArray[np.float64],
    labels: Sequence[Any],
    measured_on: str,
    problem_type: ProblemType = "classification",
) -> Calibration:
    """Return how a temperature changes the calibration on a split, from its logits (n, classes) and labels."""
    logits, right = _DECISIONS[problem_type](logits, labels)
    before, after = (reliability(softmax(logits / t), right) for t in (1.0, temperature))
    return Calibration(
        temperature=temperature,
        n_texts=len(labels),
        measured_on=measured_on,
        error_before=calibration_error(before),
        error_after=calibration_error(after),
        bins_before=before,
        bins_after=after,
    )


def best_temperature(
    logits: NDArray[np.float64], labels: Sequence[Any], problem_type: ProblemType = "classification"
) -> float:
    """Return the temperature of the lowest cross-entropy, from logits (n, classes).

    Where a text can have several classes it is the binary one, a mean over texts and classes. The targets are smoothed
    as in Platt 1999, "Probabilistic Outputs for Support Vector Machines": where every text is predicted right no finite
    temperature would be the best.
    """
    from scipy.optimize import minimize_scalar

    logits, right = _DECISIONS[problem_type](logits, labels)
    n, n_options = logits.shape
    smoothing = 1 / (n + 2)
    targets = np.full((n, n_options), smoothing / n_options)
    targets[np.arange(n), np.asarray(right, dtype=int)] += 1 - smoothing

    def cross_entropy(log_temperature: float) -> float:
        return float(-(targets * _log_softmax(logits / np.exp(log_temperature))).sum(1).mean())

    bounds = tuple(np.log(TEMPERATURES))
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def reliability(probabilities: NDArray[np.float64], labels: Sequence[float]) -> tuple[Bin, ...]:
    """Return the bins that have predictions, by confidence, from probabilities (n, classes)."""
    confidence, is_right = probabilities.max(1), probabilities.argmax(1) == np.asarray(labels)
    place = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    return tuple(
        Bin(n=int(own.sum()), confidence=float(confidence[own].mean()), accuracy=float(is_right[own].mean()))
        for own in (place == index for index in range(N_BINS))
        if own.any()
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error."""
    return sum(each.n * abs(each.confidence - each.accuracy) for each in bins) / sum(each.n for each in bins)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities, (n, classes)."""
    return np.exp(_log_softmax(logits))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each class by itself, (n, classes)."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits)))


PROBABILITIES: Mapping[ProblemType, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "classification": softmax,
    "multi_label": sigmoid,
}
"""How logits become probabilities."""


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))
