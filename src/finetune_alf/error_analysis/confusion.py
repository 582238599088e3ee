"""The confusion matrix of a split, with recall and precision of each class."""

from collections.abc import Sequence

import numpy as np

from finetune_alf.documents import Document


class ClassResult(Document):
    """A class: how many texts have it, how many are predicted to, how many both, and the shares of the first two.

    Recall is None for a class without texts, precision for one that is never predicted.
    """

    name: str
    n_true: int
    n_predicted: int
    n_right: int
    recall: float | None
    precision: float | None


class Confusion(Document):
    """Numbers of texts by true class, a row each, and by predicted class."""

    n_texts: int
    n_right: int
    classes: tuple[ClassResult, ...]
    counts: tuple[tuple[int, ...], ...]

    def most_confused(self) -> list[tuple[str, str, int]]:
        """Return true class, predicted class and number of texts off the diagonal, the most frequent first."""
        names = [each.name for each in self.classes]
        cells = [
            (names[true], names[predicted], n)
            for true, row in enumerate(self.counts)
            for predicted, n in enumerate(row)
            if n and true != predicted
        ]
        return sorted(cells, key=lambda cell: -cell[2])


def confusion(labels: Sequence[int], predicted: Sequence[int], label_names: Sequence[str]) -> Confusion:
    """Return the confusion matrix of predicted classes, by index."""
    counts = np.zeros((len(label_names), len(label_names)), dtype=np.int64)
    np.add.at(counts, (np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)), 1)
    n_right = counts.diagonal().tolist()
    n_true, n_predicted = counts.sum(1).tolist(), counts.sum(0).tolist()
    classes = tuple(
        ClassResult(
            name=name,
            n_true=n_true[index],
            n_predicted=n_predicted[index],
            n_right=n_right[index],
            recall=n_right[index] / n_true[index] if n_true[index] else None,
            precision=n_right[index] / n_predicted[index] if n_predicted[index] else None,
        )
        for index, name in enumerate(label_names)
    )
    rows = tuple(tuple(row) for row in counts.tolist())
    return Confusion(n_texts=len(labels), n_right=sum(n_right), classes=classes, counts=rows)
