"""Texts whose predicted class is wrong, the surest first."""

import numpy as np
from numpy.typing import NDArray

from finetune_alf.error_analysis.texts import FoundText, LabelledTexts


class WrongText(FoundText):
    """A text with a wrong prediction, and the probability of the predicted class."""

    predicted: str
    probability: float


def wrong_texts(texts: LabelledTexts, probabilities: NDArray[np.float64]) -> tuple[WrongText, ...]:
    """Return the texts that are predicted wrong, the highest probability first; probabilities are (n, classes)."""
    predicted, highest = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != np.asarray(texts.labels))
    return tuple(
        WrongText(**texts.found(int(row)), predicted=texts.label_names[predicted[row]], probability=float(highest[row]))
        for row in wrong[np.argsort(-highest[wrong], kind="stable")]
    )
