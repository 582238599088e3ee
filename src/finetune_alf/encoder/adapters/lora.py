"""LoRA with PEFT (Hu et al. 2021): trained low-rank updates of frozen query and value projections."""

import math
from typing import Any

import torch
from torch import nn

from finetune_alf.encoder.adapters.target_modules import QUERY_AND_VALUE, find_target_modules
from finetune_alf.encoder.anatomy import layers_of
from finetune_alf.encoder.initial_weights import Initializer, init_zeros
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import LoraAdapter

BASE_LAYER = ".base_layer."
"""What PEFT inserts into the names of the parameters that it wraps."""


def add_lora(model: nn.Module, spec: LoraAdapter) -> list[dict[str, Initializer]]:
    """Add the low-rank matrices A and B to query and value of every layer.

    Returns, for each layer, the names of the new tensors and their initializers: A as in PEFT, B with 0. The names of
    the wrapped parameters contain `.base_layer` afterwards. Raises EncoderError when PEFT is not installed.
    """
    peft = _import_peft()
    paths = {id(module): path for path, module in model.named_modules()}
    wanted = "query and value as linear layers"
    layers = [(paths[id(layer)], find_target_modules(layer, QUERY_AND_VALUE, wanted)) for layer in layers_of(model)]
    targets = [f"{path}.{projection}" for path, pair in layers for projection in pair]
    config = peft.LoraConfig(r=spec.rank, lora_alpha=spec.alpha, target_modules=targets, lora_dropout=0.0, bias="none")
    with torch.random.fork_rng(devices=[]):  # PEFT draws weights that are replaced later
        peft.inject_adapter_in_model(config, model)
    new = [name for name, _ in model.named_parameters() if ".lora_" in name]
    return [{name: _initializer(name) for name in new if name.startswith(f"{path}.")} for path, _ in layers]


def merge_lora(model: nn.Module) -> None:
    """Add the low-rank updates to the weights of their projections, in place of PEFT's layers."""
    from peft.tuners.lora import LoraLayer

    for path, layer in [(path, module) for path, module in model.named_modules() if isinstance(module, LoraLayer)]:
        layer.merge()
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, layer.get_base_layer())


def name_without_peft(name: str) -> str:
    """Return the name of a parameter before PEFT wrapped it."""
    return name.replace(BASE_LAYER, ".")


def _import_peft() -> Any:
    try:
        import peft
    except ImportError:
        raise EncoderError(
            'cannot add a lora adapter: PEFT is not installed. Install it with: pip install "finetune-alf[peft]"'
        ) from None
    return peft


def _initializer(name: str) -> Initializer:
    return _init_a if ".lora_A." in name else init_zeros


def _init_a(values: torch.Tensor, generator: torch.Generator) -> None:
    nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=generator)
