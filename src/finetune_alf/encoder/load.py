"""Load an encoder for classification: safetensors only, float32, no code of the checkpoint, no output on stderr."""

import inspect
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.checkpoint import check_config
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.hash_tokenizer import WordHashTokenizer
from finetune_alf.encoder.initial_weights import InitialWeights
from finetune_alf.encoder.locate import locate
from finetune_alf.encoder.pretrained import (
    TRANSFORMERS_ERRORS,
    attention_of,
    first_line,
    load_checkpoint,
    n_positions,
    quiet,
    vocab_size,
)
from finetune_alf.encoder.spec import AnyEncoder, RandomEncoder
from finetune_alf.encoder.tokens import PretrainedTokenizer, Tokenizer
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD
from finetune_alf.seeds import child_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Encoder", "load_encoder"]


def load_encoder(spec: AnyEncoder, n_labels: int, device: str = "cpu") -> Encoder:
    """Load an encoder with a classification head of `n_labels` outputs, its weights as `reset(0)` leaves them.

    Raises EncoderError for a checkpoint that is missing, unsafe, truncated, of an unknown architecture, or whose
    tensors do not fit the model: only tensors of the head may be newly initialized.
    """
    with quiet(), torch.random.fork_rng(devices=[]):
        model, tokenizer, anatomy, newly_initialized = (
            _random(spec, n_labels) if isinstance(spec, RandomEncoder) else _pretrained(locate(spec), n_labels)
        )
    model.to(device)
    encoder = Encoder(
        model=model,
        tokenizer=tokenizer,
        anatomy=anatomy,
        spec=spec,
        identity=spec.identity(),
        initial_weights=InitialWeights.of(model, newly_initialized),
        n_positions=n_positions(model),
        takes_token_types=_takes_token_types(model),
    )
    encoder.reset(0)
    return encoder


_Loaded = tuple["PreTrainedModel", Tokenizer, Anatomy, Collection[str]]
"""A model, its tokenizer, its anatomy and the names of the newly initialized tensors."""


def _random(spec: RandomEncoder, n_labels: int) -> _Loaded:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    check_config(spec.config, "config")
    arguments = {key: value for key, value in spec.config.items() if key != "model_type"}
    torch.default_generator.manual_seed(child_seed(spec.seed, "body"))
    try:
        config = AutoConfig.for_model(spec.config["model_type"], **arguments, num_labels=n_labels)
        attention = attention_of(config, "config", "sequence classification")
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    except TRANSFORMERS_ERRORS as error:
        raise EncoderError(
            f"config: must describe an encoder that transformers can build, but got: {first_line(error)}."
        ) from error
    anatomy = anatomy_of(model)
    return model, WordHashTokenizer(vocab_size(model), config.pad_token_id), anatomy, anatomy.parameters[HEAD]


def _pretrained(folder: Path, n_labels: int) -> _Loaded:
    loaded = load_checkpoint(folder, "sequence classification", n_labels)
    return loaded.model, PretrainedTokenizer(loaded.tokenizer), loaded.anatomy, loaded.newly_initialized


def _takes_token_types(model: "PreTrainedModel") -> bool:
    accepts = "token_type_ids" in inspect.signature(model.forward).parameters
    return accepts and getattr(model.config, "type_vocab_size", 0) > 1
