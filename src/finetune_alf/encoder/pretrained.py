"""Load a checkpoint's config, weights and tokenizer with transformers: safetensors, float32, no remote code.

`checkpoint.py` checks the files of the folder, `loading_info.py` whether its tensors fit the model.
"""

import contextlib
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.checkpoint import check_checkpoint
from finetune_alf.encoder.loading_info import check_finite, extra_prefix, newly_initialized
from finetune_alf.errors import EncoderError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Objective = Literal["sequence classification", "masked language modelling"]
"""What a model is trained for, which decides its head."""

# What transformers raises for files that it cannot use; these have no common base class.
TRANSFORMERS_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    ImportError,
    AttributeError,
    AssertionError,
)

_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, eq=False)
class LoadedCheckpoint:
    """A checkpoint's model and tokenizer; `newly_initialized` are the tensors of the head that it does not hold."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    anatomy: Anatomy
    newly_initialized: Collection[str]


def load_checkpoint(folder: Path, objective: Objective, n_labels: int = 2) -> LoadedCheckpoint:
    """Load the checkpoint of a folder; a classification head has `n_labels` outputs.

    Raises EncoderError for a folder that is missing, unsafe, truncated, of an architecture without such a model, or
    whose tensors do not fit: only tensors of the head may be newly initialized.
    """
    config = _config(folder, n_labels)
    model, new, anatomy = _model(folder, config, objective)
    return LoadedCheckpoint(model, _tokenizer(folder, model), anatomy, new)


def attention_of(config: "PreTrainedConfig", source: str, objective: Objective) -> str:
    """Return the fastest attention implementation of an architecture.

    Raises EncoderError when transformers has no such model of it.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

    is_classifier = objective == "sequence classification"
    models = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING if is_classifier else MODEL_FOR_MASKED_LM_MAPPING
    if type(config) not in models:
        raise EncoderError(
            f"{source}: model_type must be an architecture with a model for {objective} in transformers, "
            f"but got {config.model_type!r}. Tested are BERT, RoBERTa, DistilBERT, ALBERT, ELECTRA, DeBERTa, "
            "ModernBERT, MPNet, XLM-R and CamemBERT."
        )
    return "sdpa" if models[type(config)]._supports_sdpa else "eager"


def vocab_size(model: "PreTrainedModel") -> int:
    """Return the number of token embeddings."""
    return int(model.get_input_embeddings().num_embeddings)


def n_positions(model: "PreTrainedModel") -> int:
    """Return the maximum number of tokens of an input; RoBERTa's positions start after the padding index."""
    for name, table in model.base_model.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, torch.nn.Embedding):
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return int(model.config.max_position_embeddings)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turn off transformers' load report and progress bars; the loaders raise or log what matters in them."""
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _config(folder: Path, n_labels: int) -> "PreTrainedConfig":
    from transformers import AutoConfig

    model_type = check_checkpoint(folder).get("model_type")
    try:
        return AutoConfig.from_pretrained(folder, num_labels=n_labels, **_SAFE)
    except TRANSFORMERS_ERRORS as error:
        raise EncoderError(
            f"{folder / 'config.json'}: model_type must be an architecture of transformers, but got {model_type!r}: "
            f"{first_line(error)}."
        ) from error


def _model(
    folder: Path, config: "PreTrainedConfig", objective: Objective
) -> tuple["PreTrainedModel", Collection[str], Anatomy]:
    model, info = _read(folder, config, objective)
    prefix = extra_prefix(model, info)
    if prefix:
        log.warning("%s: the names of its tensors start with %r, which is left out", folder, prefix)
        model, info = _read(folder, config, objective, {f"^{re.escape(prefix)}": ""})
    anatomy = anatomy_of(model)
    new = newly_initialized(folder, model, info, anatomy)
    check_finite(folder, model, new)
    return model, new, anatomy


def _read(
    folder: Path, config: "PreTrainedConfig", objective: Objective, key_mapping: dict[str, str] | None = None
) -> tuple["PreTrainedModel", dict[str, Any]]:
    """Return the model and transformers' loading info; `key_mapping` renames tensors, by regular expressions."""
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

    auto = AutoModelForSequenceClassification if objective == "sequence classification" else AutoModelForMaskedLM
    try:
        model, info = auto.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation=attention_of(config, str(folder / "config.json"), objective),
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # they are in info, and checked below
            output_loading_info=True,
            key_mapping=key_mapping,
            **_SAFE,
        )
    except TRANSFORMERS_ERRORS as error:
        raise EncoderError(f"cannot load {folder}: {first_line(error)}. Download the encoder again.") from error
    return model, info


def _tokenizer(folder: Path, model: "PreTrainedModel") -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **_SAFE)
    except TRANSFORMERS_ERRORS as error:
        raise EncoderError(
            f"cannot load the tokenizer of {folder}: {first_line(error)}. Download the encoder again."
        ) from error
    if tokenizer.pad_token_id is None:
        raise EncoderError(f"{folder}: the tokenizer must have a padding token, but has none. Set one and save it.")
    n_tokens = max([len(tokenizer) - 1, *tokenizer.get_vocab().values()]) + 1  # ids can have gaps
    if n_tokens > vocab_size(model):
        raise EncoderError(
            f"{folder}: the tokenizer must have at most {vocab_size(model)} tokens, the number of embeddings, but got "
            f"{n_tokens}. Save the tokenizer that the encoder was trained with in the same folder."
        )
    return tokenizer
