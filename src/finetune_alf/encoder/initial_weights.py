"""The first weights of an encoder, and how they are put back before every fit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from finetune_alf.seeds import child_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Draw = Callable[[torch.Tensor, torch.Generator], None]
"""Fills a tensor with its first values, from a generator."""


def draw_zeros(values: torch.Tensor, generator: torch.Generator) -> None:
    """Start from 0."""
    values.zero_()


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """A copy of the tensors that were loaded, and the names of those that are drawn anew for every fit.

    `newly_initialized` is drawn by the model's own initialiser, `drawn` (adapters) each by a rule of its own.
    `by_task` is drawn as `newly_initialized` is, but each task's own tensors from a seed of their own.
    """

    loaded: dict[str, torch.Tensor]
    newly_initialized: tuple[str, ...]
    drawn: Mapping[str, Draw] = field(default_factory=dict)
    by_task: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: "PreTrainedModel", fresh: Collection[str]) -> "InitialWeights":
        """Remember a model's weights as they are now; those named `newly_initialized` belong to the seed of a fit."""
        loaded = {name: p.detach().clone() for name, p in model.named_parameters() if name not in fresh}
        return cls(loaded, tuple(name for name, _ in model.named_parameters() if name in fresh))

    @torch.no_grad()
    def restore(self, model: "PreTrainedModel", seed: int) -> None:
        """Copy the first weights in place, draw the fresh ones from the seed, and open every parameter again."""
        parameters = dict(model.named_parameters())
        for name, first in self.loaded.items():
            parameters[name].copy_(first)
        self._draw(model, self.newly_initialized, child_seed(seed, "head"))
        for task, names in self.by_task.items():
            self._draw(model, names, child_seed(seed, "head", task))
        generator = torch.Generator().manual_seed(child_seed(seed, "adapter"))
        for name, draw in self.drawn.items():
            values = torch.empty_like(parameters[name], device="cpu")
            draw(values, generator)
            parameters[name].copy_(values)
        for parameter in parameters.values():
            parameter.grad = None
            parameter.requires_grad_(True)

    def _draw(self, model: "PreTrainedModel", names: Collection[str], seed: int) -> None:
        """Draw by the model's own initialiser, on the CPU, so that every device starts from the same head."""
        self._mark_for_drawing(model, names)
        parameters = [model.get_parameter(name) for name in names]
        homes = [parameter.data for parameter in parameters]
        try:
            for parameter in parameters:
                parameter.data = torch.zeros_like(parameter, device="cpu")
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)  # manual_seed would seed the GPU too
                model.initialize_weights()
            for home, parameter in zip(homes, parameters, strict=True):
                home.copy_(parameter.data)
        finally:
            for home, parameter in zip(homes, parameters, strict=True):
                parameter.data = home

    def _mark_for_drawing(self, model: "PreTrainedModel", names: Collection[str]) -> None:
        """Leave transformers' mark "done" on all but these tensors, their modules, and the modules right above those.

        Some architectures draw a layer by a rule of the module that holds it.
        """
        modules = {name.rpartition(".")[0] for name in names}
        paths = modules | {path.rpartition(".")[0] for path in modules}
        for name, module in model.named_modules():
            module._is_hf_initialized = name not in paths
        for name, parameter in model.named_parameters():
            parameter._is_hf_initialized = name not in names
