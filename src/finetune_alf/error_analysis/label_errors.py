"""Labels that are likely wrong, by confident learning."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from finetune_alf.documents import Document
from finetune_alf.error_analysis.texts import FoundText, LabelledTexts
from finetune_alf.stats.confident import confident_count

By = Literal["classifier", "probe"]

WEAK = 0.8
"""A model that is right about a smaller share of labels is called weak. `benchmarks/label_errors.py` measures how many
listed labels are wrong."""


class SuspectLabel(FoundText):
    """A text whose label is likely wrong: the class that is likely right, with its probability.

    `margin` is the probability of the label minus the highest other one, from -1 to 0.
    """

    likely: str
    probability: float
    margin: float


class LabelErrors(Document):
    """The likely label errors of a split, the lowest margin first.

    `by` is what the probabilities are from: the saved classifier, or a probe that was cross-validated on the split.
    `n_right` is how many texts have the label that it finds most probable. `thresholds` are by class, without those
    that no text has. `joint` counts texts by label, a row each, and by likely class; texts that reach no threshold are
    not in it.
    """

    split: str
    by: By
    n_texts: int
    n_right: int
    thresholds: dict[str, float]
    joint: tuple[tuple[int, ...], ...]
    texts: tuple[SuspectLabel, ...]

    @property
    def is_weak(self) -> bool:
        """Whether the model is wrong so often that most of the list is likely its own errors."""
        return self.n_right < WEAK * self.n_texts


def label_errors(texts: LabelledTexts, probabilities: NDArray[np.float64], split: str, by: By) -> LabelErrors:
    """Return the likely label errors, from probabilities (n, classes) by a model that did not learn from these labels.

    `stats/confident.py` has the source.
    """
    count, names = confident_count(texts.labels, probabilities), texts.label_names
    found = tuple(
        SuspectLabel(
            **texts.found(row),
            likely=names[count.likely[row]],
            probability=float(probabilities[row, count.likely[row]]),
            margin=float(count.margins[row]),
        )
        for row in count.errors()
    )
    return LabelErrors(
        split=split,
        by=by,
        n_texts=len(texts.labels),
        n_right=int((probabilities.argmax(1) == np.asarray(texts.labels)).sum()),
        thresholds={name: float(t) for name, t in zip(names, count.thresholds, strict=True) if np.isfinite(t)},
        joint=tuple(tuple(row) for row in count.joint.tolist()),
        texts=found,
    )
