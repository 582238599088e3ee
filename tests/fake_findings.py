"""Findings that no classifier made: predictions by hand for five texts of three classes."""

import numpy as np

from finetune_alf.documents import SampleIdentity
from finetune_alf.error_analysis.confusion import confusion
from finetune_alf.error_analysis.document import ErrorsDocument
from finetune_alf.error_analysis.label_errors import label_errors
from finetune_alf.error_analysis.schemes import compare_schemes
from finetune_alf.error_analysis.texts import LabelledTexts
from finetune_alf.error_analysis.wrong import wrong_texts
from finetune_alf.errors import RowPlace

NAMES = ("bad", "fair", "good")
LABELS = [0, 0, 1, 2, 1]
PROBABILITIES = np.array([[1, 0, 0], [0.1, 0.8, 0.1], [0.2, 0.8, 0], [0, 0, 1], [0, 1, 0]])
PREDICTIONS = {
    "plain": {7: (0, 0, 1, 2, 0.0), 8: (0, 0, 1, 2, 1.0), 9: (0, 1, 1, 2, 1.0)},
    "probe": {7: (0, 1, 1, 0, 1.0), 8: (0, 1, 1, 0, 1.0)},
    "other": {7: (0, 2, 1, 2, 1.0)},
    "diverged": {},
}


def texts_of(labels, names=NAMES, pair=False, text="text"):
    """Texts with these labels; the place of the one in row 1 is known."""
    texts = [f"{text} {row}" for row in range(len(labels))]
    return LabelledTexts(
        [(one, "and more") for one in texts] if pair else texts, labels, names, {f"{text} 1": RowPlace("in.csv", 3)}
    )


def fake_errors(texts=None, predictions=PREDICTIONS, probabilities=PROBABILITIES):
    """The document of what a classifier with these probabilities gets wrong."""
    texts = texts or texts_of(LABELS)
    return ErrorsDocument(
        study="minilm",
        sample=SampleIdentity(name="films", digest="0"),
        split="test",
        folder="models/minilm",
        scheme="baseline",
        confusion=confusion(texts.labels, probabilities.argmax(1).tolist(), texts.label_names),
        wrong=wrong_texts(texts, probabilities),
        schemes=None if predictions is None else compare_schemes(texts, predictions),
        label_errors=(label_errors(texts, probabilities, "test", "classifier"),),
        notes=("Nothing else was found.",),
    )
