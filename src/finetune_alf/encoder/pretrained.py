"""Read a checkpoint's config, weights and tokenizer into transformers: safetensors, float32, none of its own code.

What may be in the folder at all is checked in `checkpoint.py`, whether tensors fit in `tensors.py`.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.checkpoint import check_checkpoint
from finetune_alf.encoder.loading_info import check_finite, fresh_tensors
from finetune_alf.errors import EncoderError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Purpose = Literal["classify", "fill masks"]
"""What a model is for, and with that which head it has."""

# What transformers raises for files it cannot use; it has no ancestor of its own for them.
VENDOR_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError, AssertionError)

_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, eq=False)
class LoadedCheckpoint:
    """A checkpoint in memory: its model, its tokenizer, and the tensors of the head that it does not hold."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    anatomy: Anatomy
    newly_initialized: Collection[str]


def load_checkpoint(folder: Path, purpose: Purpose, n_labels: int = 2) -> LoadedCheckpoint:
    """Read a folder's checkpoint; a classifier has `n_labels` outputs.

    Raises EncoderError for a folder that is missing, unsafe, torn, of an architecture without such a model, or whose
    tensors do not fit: only tensors of the head may be new.
    """
    config = _config(folder, n_labels)
    model, fresh, anatomy = _model(folder, config, purpose)
    return LoadedCheckpoint(model, _tokenizer(folder, model), anatomy, fresh)


def attention_of(config: "PreTrainedConfig", source: str, purpose: Purpose) -> str:
    """Return the quickest attention that the architecture has; EncoderError when it has no model for the purpose."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    classifies = purpose == "classify"
    models = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING if classifies else MODEL_FOR_MASKED_LM_MAPPING
    if type(config) not in models:
        raise EncoderError(
            f"{source}: model_type must be an architecture with a "
            f"{'sequence classification' if classifies else 'masked language'} model in transformers, "
            f"but got {config.model_type!r}. Tested are BERT, RoBERTa, DistilBERT, ALBERT, ELECTRA, DeBERTa, "
            "ModernBERT, MPNet, XLM-R and CamemBERT."
        )
    return "sdpa" if models[type(config)]._supports_sdpa else "eager"


def n_ids(model: "PreTrainedModel") -> int:
    """Return how many token ids a model knows."""
    return int(model.get_input_embeddings().num_embeddings)


def n_positions(model: "PreTrainedModel") -> int:
    """Return the longest text in tokens; RoBERTa-like tables keep their first rows, up to padding's, to themselves."""
    for name, table in model.base_model.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, torch.nn.Embedding):
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return int(model.config.max_position_embeddings)


def line(error: BaseException) -> str:
    """Return the first line of what a vendor's error says."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' load report and progress bars off stderr; what matters in them is raised or logged here."""
    from transformers.utils import logging as vendor

    verbosity, bars = vendor.get_verbosity(), vendor.is_progress_bar_enabled()
    vendor.set_verbosity_error()
    vendor.disable_progress_bar()
    try:
        yield
    finally:
        vendor.set_verbosity(verbosity)
        if bars:
            vendor.enable_progress_bar()


def _config(folder: Path, n_labels: int) -> "PreTrainedConfig":
    from transformers import AutoConfig

    model_type = check_checkpoint(folder).get("model_type")
    try:
        return AutoConfig.from_pretrained(folder, num_labels=n_labels, **_SAFE)
    except VENDOR_ERRORS as error:
        raise EncoderError(
            f"{folder / 'config.json'}: must be a config of an architecture that transformers has, but model_type is "
            f"{model_type!r}: {line(error)}"
        ) from error


def _model(
    folder: Path, config: "PreTrainedConfig", purpose: Purpose
) -> tuple["PreTrainedModel", Collection[str], Anatomy]:
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

    auto = AutoModelForSequenceClassification if purpose == "classify" else AutoModelForMaskedLM
    try:
        model, info = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation=attention_of(config, str(folder / "config.json"), purpose),
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # reported in info, and judged below by name
            output_loading_info=True,
            **_SAFE,
        )
    except VENDOR_ERRORS as error:
        raise EncoderError(f"{folder}: must be a checkpoint that loads, but got {line(error)}.") from error
    anatomy = anatomy_of(model)
    fresh = fresh_tensors(folder, model, info, anatomy)
    check_finite(folder, model, fresh)
    return model, fresh, anatomy


def _tokenizer(folder: Path, model: "PreTrainedModel") -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        vendor = AutoTokenizer.from_pretrained(folder, **_SAFE)
    except VENDOR_ERRORS as error:
        raise EncoderError(f"{folder}: must hold a tokenizer that loads, but got {line(error)}.") from error
    if vendor.pad_token_id is None:
        raise EncoderError(f"{folder}: the tokenizer must have a padding token, but has none. Name one and save it.")
    if len(vendor) > n_ids(model):
        raise EncoderError(
            f"{folder}: the tokenizer must have at most the {n_ids(model)} ids of the embeddings, but has "
            f"{len(vendor)}. Save the tokenizer that the encoder was trained with beside it."
        )
    return vendor
