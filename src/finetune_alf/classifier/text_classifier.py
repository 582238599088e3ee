"""TextClassifier: what all saved classifiers have in common, from the logits of texts to the names of their classes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from finetune_alf.classifier.calibration import PROBABILITIES
from finetune_alf.encoder.tokens import Texts
from finetune_alf.metric_names import ProblemType
from finetune_alf.train.evaluate import EVALUATION_BATCH

Report = Callable[[float], None]
"""Is given the part of the texts that is done, from 0 to 1."""

THRESHOLD = 0.5
"""Where a text can have several classes it is given those of a higher probability."""


class TextClassifier(ABC):
    """A trained classifier in memory; the logits of its texts are divided by `temperature`.

    It reads at most `max_tokens` tokens of a text, or all words where that is None.
    """

    label_names: tuple[str, ...]
    max_tokens: int | None
    temperature: float
    problem_type: ProblemType
    label_separator: str

    @abstractmethod
    def logits(
        self, texts: Texts, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes); `batch` is the number of texts in a forward pass."""

    @abstractmethod
    def predicted(self, texts: Texts, report: Report = lambda done: None) -> tuple[NDArray[np.float64], int]:
        """Return the calibrated probabilities of texts or pairs, (n, classes), and how many of these are read in part.

        Those are the texts of `max_tokens` tokens or more.
        """

    def probabilities(
        self, texts: Texts, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the calibrated probabilities of texts or pairs, (n, classes)."""
        return self.calibrated(self.logits(texts, batch, report))

    def calibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of logits, (n, classes)."""
        return PROBABILITIES[self.problem_type](logits / self.temperature)

    def labels(self, probabilities: NDArray[np.float64]) -> tuple[int, ...] | tuple[tuple[int, ...], ...]:
        """Return the index of the most probable class of each row, or those of all that are more likely than not."""
        if self.problem_type == "multi_label":
            return tuple(tuple(np.flatnonzero(row).tolist()) for row in probabilities > THRESHOLD)
        return tuple(probabilities.argmax(1).tolist())

    def names(self, probabilities: NDArray[np.float64]) -> Sequence[str]:
        """Return the names of `labels`, those of several classes joined."""
        return [
            self.label_names[label]
            if isinstance(label, int)
            else self.label_separator.join(self.label_names[index] for index in label)
            for label in self.labels(probabilities)
        ]

    def answers(self, probabilities: NDArray[np.float64]) -> list[tuple[object, ...]]:
        """Return the name of each row, the probability of that, and those of all classes.

        Where a text can have several classes, each is taken by itself.
        """
        own = probabilities.max(1, initial=0.0)
        if self.problem_type == "multi_label":
            own = np.maximum(probabilities, 1 - probabilities).prod(1)
        rows = zip(self.names(probabilities), own.tolist(), probabilities.tolist(), strict=True)
        return [(name, probability, *row) for name, probability, row in rows]
