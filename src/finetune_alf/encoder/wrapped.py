"""The encoder inside the model that a user has: wrapped by torch, PEFT or Lightning, or part of another module."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from finetune_alf.errors import EncoderError

if TYPE_CHECKING:
    from torch import nn

_WRAPPERS = ("_orig_mod", "module")
"""Attributes with what is wrapped: that of torch.compile, and that of DataParallel and DistributedDataParallel."""

_WRAPPED_NAMES = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_checkpoint_wrapped_module)\.")

ADAPTED, SAVED, REPLACED = "base_layer", "modules_to_save", "original_module"
"""Children of PEFT's modules: what an adapter adapts, copies that are trained, and what they replace."""


def find_body(model: "nn.Module", rule: str) -> "nn.Module":
    """Return the body of the one transformers model that a model is or holds, without what wraps it.

    Raises EncoderError, which ends with `rule`, where there is no such model or more than one.
    """
    _refuse_flattened(model)
    found = dict(_outermost(model))
    if len(found) > 1:
        names = [f"model.{path}" for path in found]
        raise EncoderError(
            f"{type(model).__name__}: must hold one transformers model, but got {len(found)}: {' and '.join(names)}. "
            f"Pass one of them, such as {names[0]}, and give the parameters of the others groups of your own."
        )
    for encoder in found.values() or (model,):
        body = getattr(encoder, "base_model", None)
        if body is not None and any(body is module for module in encoder.modules()):
            return _unwrapped(body)
    raise EncoderError(
        f"{type(model).__name__}: must be a transformers model with a base_model, or hold one, but has none. {rule}"
    )


def plain_name(name: str) -> str:
    """Return a parameter's name without what torch.compile and checkpointing insert."""
    return _WRAPPED_NAMES.sub("", name)


def adapter_parameters(body: "nn.Module") -> set[int]:
    """Return the ids of the parameters that PEFT adds to a body: adapters, and copies that are trained."""
    added: set[int] = set()
    for module in body.modules():
        children = dict(module.named_children())
        if ADAPTED in children:
            frozen = {id(parameter) for parameter in children[ADAPTED].parameters()}
            added |= {id(parameter) for parameter in module.parameters()} - frozen
        if SAVED in children:
            added |= {id(parameter) for parameter in children[SAVED].parameters()}
    return added


def is_replaced(name: str) -> bool:
    """Return whether PEFT trains something else in place of this parameter."""
    return not {ADAPTED, REPLACED}.isdisjoint(name.split("."))


def _outermost(model: "nn.Module") -> "Iterator[tuple[str, nn.Module]]":
    """Yield path and module of each transformers model that is inside no other."""
    outer: tuple[str, ...] = ()
    for path, module in model.named_modules():
        is_transformers = any(each.__name__ == "PreTrainedModel" for each in type(module).__mro__)
        if is_transformers and not path.startswith(outer or "\0"):
            outer = (*outer, f"{path}." if path else "")
            yield path, module


def _unwrapped(module: "nn.Module") -> "nn.Module":
    children = dict(module.named_children())
    inner = next((children[name] for name in _WRAPPERS if set(children) == {name}), None)
    return module if inner is None else _unwrapped(inner)


def _refuse_flattened(model: "nn.Module") -> None:
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        raise EncoderError(
            f"{type(model).__name__}: must have the parameters of its layers, but FullyShardedDataParallel has "
            "flattened them. Use torch.distributed.fsdp.fully_shard, which keeps them, and pass the model afterwards."
        )
