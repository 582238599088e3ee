"""Confident learning: labels that are likely wrong, by probabilities of a model that has not learned from them.

The source is Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6
"""A probability so little below a threshold reaches it: equal probabilities have a mean that is rounded."""


@dataclass(frozen=True, eq=False)
class ConfidentCount:
    """What confident learning counts among n texts.

    `thresholds` (classes,) are infinite for a class that no text has. `joint` (classes, classes) counts texts by their
    label and by their likely class, the most probable of those whose threshold they reach; `likely` (n,) is that class,
    -1 where none is reached. `margins` (n,) are the probability of the label minus the highest other one.
    """

    thresholds: NDArray[np.float64]
    joint: NDArray[np.int64]
    likely: NDArray[np.int64]
    margins: NDArray[np.float64]
    labels: NDArray[np.int64]

    def errors(self) -> list[int]:
        """Return the texts off the diagonal of the joint, the lowest margin first.

        Those whose label is still the most probable class are left out: the model agrees with them.
        """
        off = (self.likely >= 0) & (self.likely != self.labels) & (self.margins < 0)
        found = np.flatnonzero(off)
        return [int(index) for index in found[np.argsort(self.margins[found], kind="stable")]]


def confident_count(labels: Sequence[int], probabilities: NDArray[np.float64]) -> ConfidentCount:
    """Count texts by label and likely class, from probabilities (n, classes) that are out of sample.

    The threshold of a class is the mean of its probability over the texts that have it as their label.
    """
    given, n_classes = np.asarray(labels, dtype=np.int64), probabilities.shape[1]
    thresholds = np.array(
        [probabilities[given == one, one].mean() if (given == one).any() else np.inf for one in range(n_classes)]
    )
    reached = np.where(probabilities >= thresholds - ROUNDING, probabilities, -1.0)  # (n, classes)
    likely = np.where(reached.max(1) >= 0, reached.argmax(1), -1)
    joint = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(joint, (given[likely >= 0], likely[likely >= 0]), 1)
    own = np.arange(n_classes) == given[:, None]
    margins = probabilities[own] - np.where(own, -np.inf, probabilities).max(1)
    return ConfidentCount(thresholds, joint, likely, margins, given)
