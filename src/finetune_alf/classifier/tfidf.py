"""TfidfClassifier: a logistic regression on TF-IDF; its words are JSON, its numbers safetensors."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from finetune_alf.checksums import parse_checked
from finetune_alf.classifier.tensors import load_arrays, save_arrays
from finetune_alf.classifier.text_classifier import Report, TextClassifier
from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.encoder.tokens import Texts
from finetune_alf.errors import EncoderError
from finetune_alf.jobs.linear import joined_pairs
from finetune_alf.json_files import write_json
from finetune_alf.linear import LinearModel, tfidf_vectorizer
from finetune_alf.metric_names import ProblemType
from finetune_alf.os_errors import check_regular, os_error_reason
from finetune_alf.spec import Spec, first_fault
from finetune_alf.train.evaluate import EVALUATION_BATCH

MAX_WORDS_BYTES = 1 << 28


class Words(Spec):
    """The words, or several in a row, in the order of the columns of TF-IDF."""

    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Tfidf:
    """Logits of texts: `weights` (classes, words) of their TF-IDF, with `idf` (words,), and `bias` (classes,)."""

    words: tuple[str, ...]
    longest_ngram: int
    idf: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, texts: Texts) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes)."""
        if not texts:
            return np.empty((0, len(self.bias)))
        return np.asarray(self._vectorizer.transform(joined_pairs(texts)) @ self.weights.T + self.bias)

    @cached_property
    def _vectorizer(self) -> Any:
        return tfidf_vectorizer(self.words, self.idf, self.longest_ngram)


@dataclass(frozen=True, eq=False)
class TfidfClassifier(TextClassifier):
    """A classifier without an encoder, which reads all words of a text."""

    tfidf: Tfidf
    label_names: tuple[str, ...]
    temperature: float = 1.0
    problem_type: ProblemType = "classification"
    label_separator: str = LABEL_SEPARATOR
    max_tokens: None = None

    def logits(
        self, texts: Texts, batch: int = EVALUATION_BATCH, report: Report = lambda done: None
    ) -> NDArray[np.float64]:
        """Return the logits of texts or pairs, (n, classes); all texts are one batch."""
        logits = self.tfidf.logits(texts)
        report(1.0)
        return logits

    def predicted(self, texts: Texts, report: Report = lambda done: None) -> tuple[NDArray[np.float64], int]:
        """Return the calibrated probabilities of texts or pairs, (n, classes), and 0: all texts are read whole."""
        return self.probabilities(texts, report=report), 0


def tfidf_of(model: LinearModel, longest_ngram: int) -> Tfidf:
    """Return the numbers of a fitted linear model on TF-IDF."""
    vectorizer = model.vectorizer
    weights, bias = model.logit_weights
    return Tfidf(tuple(vectorizer.get_feature_names_out().tolist()), longest_ngram, vectorizer.idf_, weights, bias)


def save_tfidf(tfidf: Tfidf, words_file: Path, file: Path) -> None:
    """Write the words and the numbers; equal ones give equal bytes."""
    write_json(words_file, Words(words=tfidf.words).model_dump())
    save_arrays({"idf": tfidf.idf, "weights": tfidf.weights, "bias": tfidf.bias}, file)


def load_tfidf(words_file: Path, file: Path, longest_ngram: int, n_classes: int) -> Tfidf:
    """Read the words and the numbers. Raises EncoderError for invalid files, and numbers for other words or classes."""
    words = _read_words(words_file)
    if len(set(words)) < len(words):
        raise EncoderError(f"{words_file}: must have each word once, but has one twice. Fit it again.")
    shapes = {"idf": (len(words),), "weights": (n_classes, len(words)), "bias": (n_classes,)}
    return Tfidf(words, longest_ngram, **load_arrays(file, shapes))


def _read_words(file: Path) -> tuple[str, ...]:
    check_regular(file, EncoderError)
    try:
        with file.open("rb") as opened:
            return Words.model_validate_json(json.dumps(parse_checked(opened.read(MAX_WORDS_BYTES)))).words
    except OSError as error:
        raise EncoderError(f"cannot read {file}: {os_error_reason(error)}. Fit it again.") from None
    except ValueError as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error
        raise EncoderError(f"{file}: must have words as `finetune-alf fit` writes them, but got {fault}.") from None
