"""The folder of a classifier: model.safetensors, config, tokenizer, classifier.json; a probe adds its own tensors.

With bottleneck adapters the encoder is in a folder of its own, beside their tensors. One by TF-IDF has words and
numbers in place of an encoder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.probe import load_probe, save_probe
from finetune_alf.classifier.record import (
    ENCODER_FOLDER,
    PROBE_FILE,
    RECORD_FILE,
    TFIDF_FILE,
    WORDS_FILE,
    ClassifierRecord,
    Kind,
    content_digests,
    read_record,
)
from finetune_alf.classifier.text_classifier import TextClassifier
from finetune_alf.classifier.tfidf import TfidfClassifier, load_tfidf, save_tfidf
from finetune_alf.compute import Precision
from finetune_alf.compute.resolved import resolve_precision
from finetune_alf.encoder.adapters.save import TENSOR_FILE, load_bottlenecks, save_bottlenecks
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.hash_tokenizer import WordHashTokenizer
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.save import save_classifier
from finetune_alf.encoder.spec import FolderEncoder
from finetune_alf.errors import EncoderError
from finetune_alf.folders import replace_folder
from finetune_alf.json_files import write_json
from finetune_alf.metric_names import ProblemType
from finetune_alf.recipe import AnyRecipe, Recipe, TfidfRecipe

PIPELINE_TYPES: Mapping[ProblemType, str | None] = {"classification": None, "multi_label": "multi_label_classification"}
"""`problem_type` of a saved config: without one, transformers takes classes as one of several."""


def check_can_be_saved(encoder: Encoder) -> None:
    """Raise EncoderError for an encoder of random weights, whose tokenizer has no files."""
    if isinstance(encoder.tokenizer, WordHashTokenizer):
        raise EncoderError(f"{encoder.identity}: must have a tokenizer with files to be saved, but has random weights.")


def write_folder(folder: Path, classifier: Classifier | TfidfClassifier, **facts: Any) -> ClassifierRecord:
    """Write a classifier, whole or not at all, and return its record; `facts` are the other fields of that.

    Raises EncoderError for an encoder of random weights, and for one with a LoRA adapter that is not merged.
    """
    if isinstance(classifier, Classifier):
        check_can_be_saved(classifier.encoder)
    with replace_folder(folder) as temporary:
        own = (
            _write_tfidf(classifier, temporary)
            if isinstance(classifier, TfidfClassifier)
            else _write_encoder(classifier, temporary, facts["recipe"])
        )
        record = ClassifierRecord(
            label_names=classifier.label_names,
            problem_type=classifier.problem_type,
            label_separator=classifier.label_separator,
            digests=content_digests(temporary),
            **own,
            **facts,
        )
        write_json(temporary / RECORD_FILE, record.model_dump(mode="json"))
    return record


def _write_encoder(classifier: Classifier, folder: Path, recipe: AnyRecipe) -> dict[str, Any]:
    """Write encoder, adapters and probe, and return the fields of the record that say how they are used."""
    encoder = classifier.encoder
    of_encoder = folder
    if encoder.adapter is not None:
        of_encoder = folder / ENCODER_FOLDER
        of_encoder.mkdir()
        save_bottlenecks(encoder, folder / TENSOR_FILE)
    save_classifier(
        encoder,
        of_encoder,
        classifier.label_names,
        classifier.max_tokens,
        classifier.truncation,
        PIPELINE_TYPES[classifier.problem_type],
    )
    if classifier.probe is not None:
        save_probe(classifier.probe, folder / PROBE_FILE)
    return {
        "kind": _kind(classifier, recipe),
        "max_tokens": classifier.max_tokens,
        "pooling": classifier.pooling,
        "precision": classifier.precision,
        "truncation": classifier.truncation,
    }


def _write_tfidf(classifier: TfidfClassifier, folder: Path) -> dict[str, Any]:
    save_tfidf(classifier.tfidf, folder / WORDS_FILE, folder / TFIDF_FILE)
    return {"kind": "tfidf", "max_tokens": None, "pooling": None, "precision": "fp32"}


def _kind(classifier: Classifier, recipe: AnyRecipe) -> Kind:
    if classifier.probe is None:
        return "fine-tuned"
    return "contrastive" if isinstance(recipe, Recipe) else "probe"


def load_classifier(folder: Path, device: str = "cpu", precision: Precision | None = None) -> TextClassifier:
    """Load the classifier of a folder, in the precision of its fit unless another one is given.

    A device without instructions for bf16 computes in fp32, which is faster there and more exact.

    Nothing in the folder is executed. Raises EncoderError for a folder that `write_folder` did not write, and for what
    is missing, invalid or of another shape.
    """
    record = read_record(folder)
    if isinstance(record.recipe, TfidfRecipe):
        n_classes = len(record.label_names)
        return TfidfClassifier(
            load_tfidf(folder / WORDS_FILE, folder / TFIDF_FILE, record.recipe.longest_ngram, n_classes),
            record.label_names,
            record.calibration.temperature,
            record.problem_type,
            record.label_separator,
        )
    return _load_encoder(folder, record, device, precision or precision_on(device, record.precision))


def _load_encoder(folder: Path, record: ClassifierRecord, device: str, precision: Precision) -> Classifier:
    assert record.max_tokens is not None and record.pooling is not None  # noqa: S101, PT018 - for mypy: the record checks it
    of_encoder, n_classes = folder / ENCODER_FOLDER if record.bottlenecks else folder, len(record.label_names)
    encoder = load_encoder(FolderEncoder(kind="folder", path=str(of_encoder)), n_classes, device)
    if encoder.initial_weights.newly_initialized and record.kind == "fine-tuned":
        raise EncoderError(
            f"{of_encoder}: must contain all weights of the classifier, but "
            f"{encoder.initial_weights.newly_initialized[0]} is missing. Fit it again."
        )
    if record.bottlenecks:
        encoder = load_bottlenecks(encoder, record.bottlenecks, folder / TENSOR_FILE)
    probe = None
    if record.kind != "fine-tuned":
        probe = load_probe(folder / PROBE_FILE, int(encoder.model.config.hidden_size), n_classes)
    return Classifier(
        encoder,
        record.label_names,
        record.max_tokens,
        record.pooling,
        precision,
        record.calibration.temperature,
        probe,
        record.truncation,
        record.problem_type,
        record.label_separator,
    )


def precision_on(device: str, fitted: Precision) -> Precision:
    """Return the precision that a classifier is loaded in: that of its fit where the device has it, else fp32."""
    return fitted if resolve_precision("auto", torch.device(device)) == "bf16" else "fp32"
