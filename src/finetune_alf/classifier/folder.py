"""The folder of a classifier: model.safetensors, config, tokenizer, classifier.json; a probe adds its own tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from finetune_alf.classifier.classifier import Classifier
from finetune_alf.classifier.probe import load_probe, save_probe
from finetune_alf.classifier.record import PROBE_FILE, RECORD_FILE, ClassifierRecord, Kind, read_record, tensor_digests
from finetune_alf.compute import Precision
from finetune_alf.compute.resolved import resolve_precision
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.hash_tokenizer import WordHashTokenizer
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.save import save_classifier
from finetune_alf.encoder.spec import FolderEncoder
from finetune_alf.errors import EncoderError
from finetune_alf.files import replace_folder, write_json
from finetune_alf.metrics import ProblemType
from finetune_alf.recipe import AnyRecipe, Recipe

PIPELINE_TYPES: Mapping[ProblemType, str | None] = {"classification": None, "multi_label": "multi_label_classification"}
"""`problem_type` of a saved config: without one, transformers takes classes as one of several."""


def check_can_be_saved(encoder: Encoder) -> None:
    """Raise EncoderError for an encoder of random weights, whose tokenizer has no files."""
    if isinstance(encoder.tokenizer, WordHashTokenizer):
        raise EncoderError(f"{encoder.identity}: must have a tokenizer with files to be saved, but has random weights.")


def write_folder(folder: Path, classifier: Classifier, **facts: Any) -> ClassifierRecord:
    """Write a classifier, whole or not at all, and return its record; `facts` are the other fields of that.

    Raises EncoderError for an encoder with an adapter or of random weights.
    """
    encoder = classifier.encoder
    check_can_be_saved(encoder)
    with replace_folder(folder) as temporary:
        save_classifier(
            encoder,
            temporary,
            classifier.label_names,
            classifier.max_tokens,
            classifier.truncation,
            PIPELINE_TYPES[classifier.problem_type],
        )
        if classifier.probe is not None:
            save_probe(classifier.probe, temporary / PROBE_FILE)
        record = ClassifierRecord(
            kind=_kind(classifier, facts["recipe"]),
            label_names=classifier.label_names,
            max_tokens=classifier.max_tokens,
            pooling=classifier.pooling,
            precision=classifier.precision,
            truncation=classifier.truncation,
            problem_type=classifier.problem_type,
            label_separator=classifier.label_separator,
            digests=tensor_digests(temporary),
            **facts,
        )
        write_json(temporary / RECORD_FILE, record.model_dump(mode="json"))
    return record


def _kind(classifier: Classifier, recipe: AnyRecipe) -> Kind:
    if classifier.probe is None:
        return "fine-tuned"
    return "contrastive" if isinstance(recipe, Recipe) else "probe"


def load_classifier(folder: Path, device: str = "cpu", precision: Precision | None = None) -> Classifier:
    """Load the classifier of a folder, in the precision of its fit unless another one is given.

    A device without instructions for bf16 computes in fp32, which is faster there and more exact.

    Nothing in the folder is executed. Raises EncoderError for a folder that `write_folder` did not write, and for what
    is missing, invalid or of another shape.
    """
    record = read_record(folder)
    n_classes = len(record.label_names)
    encoder = load_encoder(FolderEncoder(kind="folder", path=str(folder)), n_classes, device)
    if encoder.initial_weights.newly_initialized and record.kind == "fine-tuned":
        raise EncoderError(
            f"{folder}: must contain all weights of the classifier, but "
            f"{encoder.initial_weights.newly_initialized[0]} is missing. Fit it again."
        )
    probe = None
    if record.kind != "fine-tuned":
        probe = load_probe(folder / PROBE_FILE, int(encoder.model.config.hidden_size), n_classes)
    return Classifier(
        encoder,
        record.label_names,
        record.max_tokens,
        record.pooling,
        precision or _precision_on(device, record.precision),
        record.calibration.temperature,
        probe,
        record.truncation,
        record.problem_type,
        record.label_separator,
    )


def _precision_on(device: str, fitted: Precision) -> Precision:
    """Return the precision of a fit where the device has it, else fp32."""
    return fitted if resolve_precision("auto", torch.device(device)) == "bf16" else "fp32"
