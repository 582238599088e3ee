"""Whether a checkpoint's tensors fit the model: judged by name, before anything is trained."""

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


def fresh_tensors(folder: Path, model: "PreTrainedModel", info: Mapping[str, Any], anatomy: Anatomy) -> Collection[str]:
    """Return the head tensors that the checkpoint does not hold in this shape; EncoderError for any other."""
    names = {name for name, _ in model.named_parameters()}
    shapes = {name: (tuple(got), tuple(want)) for name, got, want in info["mismatched_keys"] if name in names}
    missing = {name for name in info["missing_keys"] if name in names}
    for name in sorted((missing | set(shapes)) - set(anatomy.parameters[HEAD])):
        wrong = "is missing" if name in missing else "has the shape {}, not {}".format(*shapes[name])
        raise EncoderError(
            f"{folder}: every tensor of the body must be in the checkpoint and fit config.json, but {name} {wrong}. "
            "Use the config.json that the weights were saved with."
        )
    _check_depth(folder, info["unexpected_keys"], anatomy)
    for name in sorted(shapes):
        log.warning("%s: %s is drawn anew, its shape is %s in the file and %s here", folder, name, *shapes[name])
    return missing | set(shapes)


def _check_depth(folder: Path, unexpected: Collection[str], anatomy: Anatomy) -> None:
    """Refuse weights of more layers than config.json names, which transformers would drop in silence."""
    first = tuple(f".{name}" for name in anatomy.parameters[layer(0)])
    for key in sorted(unexpected):
        as_first = re.sub(r"\.\d+\.", ".0.", f".{key}", count=1)
        if any(name.endswith(as_first) for name in first):
            raise EncoderError(
                f"{folder}: config.json must name as many layers as there are weights, but it makes "
                f"{anatomy.n_layers} and the checkpoint holds {key}. Use the config.json that the weights came with."
            )


def check_finite(folder: Path, model: "PreTrainedModel", fresh: Collection[str]) -> None:
    """Raise EncoderError when a weight that was loaded is NaN or infinite."""
    for name, parameter in model.named_parameters():
        if name not in fresh and not bool(torch.isfinite(parameter).all()):
            raise EncoderError(f"{folder}: weights must be finite, but {name} holds NaN or infinity. Fetch it again.")
