"""Bottleneck adapters (Houlsby et al. 2019): a few numbers a token learn, and the encoder round them stands still."""

from typing import Any

import torch
from torch import nn

from finetune_alf.encoder.adapters.target_modules import OUTPUTS, find
from finetune_alf.encoder.anatomy import layers_of
from finetune_alf.encoder.initial_weights import Draw, draw_zeros
from finetune_alf.recipe import HoulsbyAdapter

SPREAD = 1e-2
"""Of the down-projection's first weights, cut off at twice this (Houlsby et al. 2019, section 3.6)."""

NAME = "adapter"


class Bottleneck(nn.Module):
    """Down, a non-linearity, up, and what came in added again, (..., size) to (..., size)."""

    def __init__(self, size: int, spec: HoulsbyAdapter) -> None:
        super().__init__()
        self.down = nn.Linear(size, spec.width)
        self.activation = nn.GELU() if spec.activation == "gelu" else nn.ReLU()
        self.up = nn.Linear(spec.width, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x and the change that was learnt to it: nothing but x as long as `up` is 0."""
        change: torch.Tensor = self.up(self.activation(self.down(x)))
        return x + change


def add_bottlenecks(model: nn.Module, spec: HoulsbyAdapter) -> list[dict[str, Draw]]:
    """Put a bottleneck behind both output projections of every layer, before dropout, residual and norm.

    It is a part of the projection, called by a hook on it: the encoder's own weights keep their names, and whoever
    calls the projection hears the adapter. Returns, for each layer, the names of the tensors that are new and how
    each one is drawn: near the identity, as in section 3.6, and with the up-projection at 0 the identity itself.
    """
    return [_adapt(model, layer, spec) for layer in layers_of(model)]


def _adapt(model: nn.Module, layer: nn.Module, spec: HoulsbyAdapter) -> dict[str, Draw]:
    added = [_attach(layer.get_submodule(path), spec) for path in find(layer, OUTPUTS, "two output projections")]
    draws = {id(p): _draw_down if p is one.down.weight else draw_zeros for one in added for p in one.parameters()}
    return {name: draws[id(parameter)] for name, parameter in model.named_parameters() if id(parameter) in draws}


def _attach(projection: nn.Module, spec: HoulsbyAdapter) -> Bottleneck:
    weight = projection.get_parameter("weight")  # (out, in)
    with torch.random.fork_rng(devices=[]):  # a linear layer draws its weights, which count for nothing here
        bottleneck = Bottleneck(weight.shape[0], spec).to(weight)
    projection.add_module(NAME, bottleneck)
    projection.register_forward_hook(_hear)
    return bottleneck


def _hear(projection: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    adapted: torch.Tensor = projection.get_submodule(NAME)(output)
    return adapted


def _draw_down(values: torch.Tensor, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(values, std=SPREAD, a=-2 * SPREAD, b=2 * SPREAD, generator=generator)
