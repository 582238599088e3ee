"""Checks of transformers' loading info: missing, mismatched and unexpected keys, and weights that are not finite."""

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.errors import EncoderError
from finetune_alf.rates import HEAD, layer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def newly_initialized(
    folder: Path, model: "PreTrainedModel", info: Mapping[str, Any], anatomy: Anatomy
) -> Collection[str]:
    """Return the tensors of the head that the checkpoint lacks, or has in another shape.

    Raises EncoderError when a tensor of the body is missing or of another shape.
    """
    names = {name for name, _ in model.named_parameters()}
    shapes = {name: (tuple(got), tuple(want)) for name, got, want in info["mismatched_keys"] if name in names}
    missing = {name for name in info["missing_keys"] if name in names}
    for name in sorted((missing | set(shapes)) - set(anatomy.parameters[HEAD])):
        fault = "is missing" if name in missing else "has the shape {}, not {}".format(*shapes[name])
        raise EncoderError(
            f"{folder}: every tensor of the body must be in the checkpoint and fit config.json, but {name} {fault}. "
            f"Use the config.json that was saved with the weights{_first(info['unexpected_keys'])}."
        )
    _check_depth(folder, info["unexpected_keys"], anatomy)
    for name in sorted(shapes):
        log.warning("%s: %s is newly initialized, because its shape is %s and must be %s", folder, name, *shapes[name])
    return missing | set(shapes)


def extra_prefix(model: "PreTrainedModel", info: Mapping[str, Any]) -> str:
    """Return what all names of a checkpoint start with beyond the model's own, such as `module.` or `model.`; or "".

    It is found by the word embeddings: the checkpoint's name of them ends with the model's, or with the body's.
    """
    words = model.get_input_embeddings().weight
    name = next(name for name, parameter in model.named_parameters() if parameter is words)
    if name not in info["missing_keys"]:
        return ""
    for own in (name, name.removeprefix(f"{model.base_model_prefix}.")):
        for key in sorted(info["unexpected_keys"]):
            if key.endswith(f".{own}"):
                return str(key).removesuffix(own)
    return ""


def _check_depth(folder: Path, unexpected: Collection[str], anatomy: Anatomy) -> None:
    """Refuse weights of more layers than config.json has, which transformers would drop silently."""
    first = tuple(f".{name}" for name in anatomy.parameters[layer(0)])
    for key in sorted(unexpected):
        in_first_layer = re.sub(r"\.\d+\.", ".0.", f".{key}", count=1)
        if any(name.endswith(in_first_layer) for name in first):
            raise EncoderError(
                f"{folder}: config.json must have as many layers as the weights, but got {anatomy.n_layers} layers "
                f"and weights with {key}. Use the config.json that was saved with the weights."
            )


def _first(unexpected: Collection[str]) -> str:
    """Return the tensor that is there in place of a missing one, for a name that only the user can match."""
    return f"; the checkpoint also has {min(unexpected)}, which the model does not know" if unexpected else ""


def check_finite(folder: Path, model: "PreTrainedModel", newly_initialized: Collection[str]) -> None:
    """Raise EncoderError when a loaded weight is NaN or infinite."""
    for name, parameter in model.named_parameters():
        if name not in newly_initialized and not bool(torch.isfinite(parameter).all()):
            raise EncoderError(
                f"{folder}: weights must be finite, but {name} has NaN or infinite values. Download it again."
            )
