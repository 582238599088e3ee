"""LoRA through PEFT (Hu et al. 2021): low-rank changes beside query and value, which stand still themselves."""

import math
from typing import Any

import torch
from torch import nn

from finetune_alf.encoder.adapters.target_modules import PROJECTIONS, find
from finetune_alf.encoder.anatomy import layers_of
from finetune_alf.encoder.initial_weights import Draw, draw_zeros
from finetune_alf.errors import EncoderError
from finetune_alf.recipe import LoraAdapter

WRAPPED = ".base_layer."
"""What PEFT puts into the names of the weights that it wraps."""


def add_lora(model: nn.Module, spec: LoraAdapter) -> list[dict[str, Draw]]:
    """Change query and value of every layer by products of two thin matrices, the second of them 0.

    Returns, for each layer, the names of the tensors that are new and how each one is drawn: A as PEFT draws it, B at
    0. The encoder's own weights go by names with `.base_layer` in them afterwards. Raises EncoderError without PEFT.
    """
    peft = _peft()
    paths = {id(module): path for path, module in model.named_modules()}
    wanted = "query and value as linear layers"
    layers = [(paths[id(layer)], find(layer, PROJECTIONS, wanted)) for layer in layers_of(model)]
    targets = [f"{path}.{projection}" for path, pair in layers for projection in pair]
    config = peft.LoraConfig(r=spec.rank, lora_alpha=spec.alpha, target_modules=targets, lora_dropout=0.0, bias="none")
    with torch.random.fork_rng(devices=[]):  # PEFT draws first weights, which count for nothing here
        peft.inject_adapter_in_model(config, model)
    new = [name for name, _ in model.named_parameters() if ".lora_" in name]
    return [{name: _rule(name) for name in new if name.startswith(f"{path}.")} for path, _ in layers]


def bare_name(name: str) -> str:
    """Return what a wrapped weight is called without PEFT."""
    return name.replace(WRAPPED, ".")


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise EncoderError(
            "adapter: must be one that can be built here, but lora needs PEFT, which is not installed. "
            'Install it with: pip install "finetune-alf[peft]"'
        ) from None
    return peft


def _rule(name: str) -> Draw:
    return _draw_a if ".lora_A." in name else draw_zeros


def _draw_a(values: torch.Tensor, generator: torch.Generator) -> None:
    nn.init.kaiming_uniform_(values, a=math.sqrt(5), generator=generator)
