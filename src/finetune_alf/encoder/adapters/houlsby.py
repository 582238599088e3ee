"""Bottleneck adapters (Houlsby et al. 2019): small trained modules in the layers of a frozen encoder."""

from typing import Any

import torch
from torch import nn

from finetune_alf.encoder.adapters.target_modules import OUTPUT_PROJECTIONS, find_target_modules
from finetune_alf.encoder.anatomy import layers_of
from finetune_alf.encoder.initial_weights import Initializer, init_zeros
from finetune_alf.recipe import HoulsbyAdapter

INIT_STD = 1e-2
"""Of the down-projection's weights, truncated at two standard deviations (Houlsby et al. 2019, section 3.6)."""

MODULE_NAME = "adapter"


class Bottleneck(nn.Module):
    """Down-projection, activation, up-projection and a residual connection, (..., size) to (..., size)."""

    def __init__(self, size: int, spec: HoulsbyAdapter) -> None:
        super().__init__()
        self.down = nn.Linear(size, spec.width)
        self.activation = nn.GELU() if spec.activation == "gelu" else nn.ReLU()
        self.up = nn.Linear(spec.width, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus the bottleneck's output, which is 0 as long as `up` is 0."""
        change: torch.Tensor = self.up(self.activation(self.down(x)))
        return x + change


def add_bottlenecks(model: nn.Module, spec: HoulsbyAdapter) -> list[dict[str, Initializer]]:
    """Add a bottleneck to both output projections of every layer, before dropout, residual connection and norm.

    It is a submodule of the projection, called by a forward hook, so that the encoder's own parameters keep their
    names. Returns, for each layer, the names of the new tensors and their initializers: near the identity, as in
    section 3.6, and exactly the identity because the up-projection is 0.
    """
    return [_add_to_layer(model, layer, spec) for layer in layers_of(model)]


def _add_to_layer(model: nn.Module, layer: nn.Module, spec: HoulsbyAdapter) -> dict[str, Initializer]:
    paths = find_target_modules(layer, OUTPUT_PROJECTIONS, "two output projections")
    added = [_attach(layer.get_submodule(path), spec) for path in paths]
    initializers = {
        id(parameter): _init_down if parameter is one.down.weight else init_zeros
        for one in added
        for parameter in one.parameters()
    }
    return {
        name: initializers[id(parameter)]
        for name, parameter in model.named_parameters()
        if id(parameter) in initializers
    }


def _attach(projection: nn.Module, spec: HoulsbyAdapter) -> Bottleneck:
    weight = projection.get_parameter("weight")  # (out, in)
    with torch.random.fork_rng(devices=[]):  # nn.Linear draws weights that are replaced later
        bottleneck = Bottleneck(weight.shape[0], spec).to(weight)
    projection.add_module(MODULE_NAME, bottleneck)
    projection.register_forward_hook(_adapt_output)
    return bottleneck


def _adapt_output(projection: nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    adapted: torch.Tensor = projection.get_submodule(MODULE_NAME)(output)
    return adapted


def _init_down(values: torch.Tensor, generator: torch.Generator) -> None:
    nn.init.trunc_normal_(values, std=INIT_STD, a=-2 * INIT_STD, b=2 * INIT_STD, generator=generator)
