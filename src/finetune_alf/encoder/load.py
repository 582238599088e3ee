"""Load an encoder: safetensors only, float32, no code from the checkpoint, nothing on stderr."""

import contextlib
import inspect
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.checkpoint import check_checkpoint, check_config
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.random import WordHashTokenizer
from finetune_alf.encoder.spec import EncoderSpec, RandomEncoder
from finetune_alf.encoder.tensors import check_finite, fresh_tensors
from finetune_alf.encoder.tokens import PretrainedTokenizer, Tokenizer
from finetune_alf.encoder.weights import FirstWeights
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD
from finetune_alf.seeds import child_seed

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

__all__ = ["Encoder", "load_encoder"]

# What transformers raises for files it cannot use; it has no ancestor of its own for them.
_VENDOR_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, AttributeError, AssertionError)


def load_encoder(spec: EncoderSpec, n_labels: int, device: str = "cpu") -> Encoder:
    """Load an encoder with a classifier of `n_labels` classes, its weights as `reset(0)` leaves them.

    Raises EncoderError, before anything is trained, for a checkpoint that is missing, unsafe, torn, of an unknown
    architecture, or whose tensors do not fit: only tensors of the head may be new.
    """
    with _quiet(), torch.random.fork_rng(devices=[]):
        built = _random(spec, n_labels) if isinstance(spec, RandomEncoder) else _pretrained(locate(spec), n_labels)
    model, tokenizer, anatomy, fresh = built
    model.to(device)
    encoder = Encoder(
        model=model,
        tokenizer=tokenizer,
        anatomy=anatomy,
        spec=spec,
        identity=spec.identity(),
        first=FirstWeights.of(model, fresh),
        n_positions=_n_positions(model),
        takes_types=_takes_types(model),
    )
    encoder.reset(0)
    return encoder


_Built = tuple["PreTrainedModel", Tokenizer, Anatomy, Collection[str]]


def _random(spec: RandomEncoder, n_labels: int) -> _Built:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    check_config(spec.config, "config")
    arguments = {key: value for key, value in spec.config.items() if key != "model_type"}
    torch.default_generator.manual_seed(child_seed(spec.seed, "body"))
    try:
        config = AutoConfig.for_model(spec.config["model_type"], **arguments, num_labels=n_labels)
        attention = _attention(config, "config")
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    except _VENDOR_ERRORS as error:
        raise EncoderError(
            f"config: must describe an encoder that transformers can build, but got {_line(error)}."
        ) from error
    anatomy = anatomy_of(model)
    tokenizer = WordHashTokenizer(_n_ids(model), config.pad_token_id)
    return model, tokenizer, anatomy, anatomy.parameters[HEAD]


def _pretrained(folder: Path, n_labels: int) -> _Built:
    from transformers import AutoConfig, AutoTokenizer

    model_type = check_checkpoint(folder).get("model_type")
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, num_labels=n_labels, **safe)
    except _VENDOR_ERRORS as error:
        raise EncoderError(
            f"{folder / 'config.json'}: must be a config of an architecture that transformers has, but model_type is "
            f"{model_type!r}: {_line(error)}"
        ) from error
    model, fresh, anatomy = _load_model(folder, config)
    try:
        vendor = AutoTokenizer.from_pretrained(folder, **safe)
    except _VENDOR_ERRORS as error:
        raise EncoderError(f"{folder}: must hold a tokenizer that loads, but got {_line(error)}.") from error
    if vendor.pad_token_id is None:
        raise EncoderError(f"{folder}: the tokenizer must have a padding token, but has none. Name one and save it.")
    if len(vendor) > _n_ids(model):
        raise EncoderError(
            f"{folder}: the tokenizer must have at most the {_n_ids(model)} ids of the embeddings, but has "
            f"{len(vendor)}. Save the tokenizer that the encoder was trained with beside it."
        )
    return model, PretrainedTokenizer(vendor), anatomy, fresh


def _load_model(folder: Path, config: "PreTrainedConfig") -> tuple["PreTrainedModel", Collection[str], Anatomy]:
    from transformers import AutoModelForSequenceClassification

    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation=_attention(config, str(folder / "config.json")),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # reported in info, and judged below by name
            output_loading_info=True,
        )
    except _VENDOR_ERRORS as error:
        raise EncoderError(f"{folder}: must be a checkpoint that loads, but got {_line(error)}.") from error
    anatomy = anatomy_of(model)
    fresh = fresh_tensors(folder, model, info, anatomy)
    check_finite(folder, model, fresh)
    return model, fresh, anatomy


def _attention(config: "PreTrainedConfig", source: str) -> str:
    """Return the quickest attention that the architecture has; EncoderError when it cannot classify sequences."""
    from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as CLASSIFIERS

    if type(config) not in CLASSIFIERS:
        raise EncoderError(
            f"{source}: model_type must be an architecture with a sequence classification model in transformers, "
            f"but got {config.model_type!r}. Tested are BERT, RoBERTa, DistilBERT, ALBERT, ELECTRA, DeBERTa, "
            "ModernBERT, MPNet, XLM-R and CamemBERT."
        )
    return "sdpa" if CLASSIFIERS[type(config)]._supports_sdpa else "eager"


def _n_ids(model: "PreTrainedModel") -> int:
    return int(model.get_input_embeddings().num_embeddings)


def _n_positions(model: "PreTrainedModel") -> int:
    """Return the longest text in tokens; RoBERTa-like tables keep their first rows, up to padding's, to themselves."""
    for name, table in model.base_model.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, torch.nn.Embedding):
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return int(model.config.max_position_embeddings)


def _takes_types(model: "PreTrainedModel") -> bool:
    accepts = "token_type_ids" in inspect.signature(model.forward).parameters
    return accepts and getattr(model.config, "type_vocab_size", 0) > 1


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
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
