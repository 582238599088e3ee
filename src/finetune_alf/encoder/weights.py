"""The first weights of an encoder, and how they are put back before every fit."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from finetune_alf.seeds import child_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class FirstWeights:
    """A copy of the tensors that were loaded, and the names of those that are drawn anew for every fit."""

    loaded: dict[str, torch.Tensor]
    fresh: tuple[str, ...]

    @classmethod
    def of(cls, model: "PreTrainedModel", fresh: Collection[str]) -> "FirstWeights":
        """Remember a model's weights as they are now; those named `fresh` belong to the seed of a fit."""
        loaded = {name: p.detach().clone() for name, p in model.named_parameters() if name not in fresh}
        return cls(loaded, tuple(name for name, _ in model.named_parameters() if name in fresh))

    @torch.no_grad()
    def put_back(self, model: "PreTrainedModel", seed: int) -> None:
        """Copy the first weights in place, draw the fresh ones from the seed, and open every parameter again."""
        parameters = dict(model.named_parameters())
        for name, first in self.loaded.items():
            parameters[name].copy_(first)
        self._draw(model, [parameters[name] for name in self.fresh], seed)
        for parameter in parameters.values():
            parameter.grad = None
            parameter.requires_grad_(True)

    def _draw(self, model: "PreTrainedModel", parameters: list[torch.nn.Parameter], seed: int) -> None:
        """Draw by the model's own initialiser, on the CPU, so that every device starts from the same head."""
        self._mark_for_drawing(model)
        homes = [parameter.data for parameter in parameters]
        try:
            for parameter in parameters:
                parameter.data = torch.zeros_like(parameter, device="cpu")
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(child_seed(seed, "head"))  # manual_seed would seed the GPU too
                model.initialize_weights()
            for home, parameter in zip(homes, parameters, strict=True):
                home.copy_(parameter.data)
        finally:
            for home, parameter in zip(homes, parameters, strict=True):
                parameter.data = home

    def _mark_for_drawing(self, model: "PreTrainedModel") -> None:
        """Leave transformers' mark "done" on all but the fresh tensors and the modules above them."""
        paths = {name.rsplit(".", i)[0] for name in self.fresh for i in range(1, name.count(".") + 1)} | {""}
        for name, module in model.named_modules():
            module._is_hf_initialized = name not in paths
        for name, parameter in model.named_parameters():
            parameter._is_hf_initialized = name in self.loaded
