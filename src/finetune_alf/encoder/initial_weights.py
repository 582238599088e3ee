"""The initial weights of an encoder, and how they are restored before every fit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from finetune_alf.seeds import child_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel


Initializer = Callable[[torch.Tensor, torch.Generator], None]
"""Initializes a tensor in place, from a generator."""


def init_zeros(values: torch.Tensor, generator: torch.Generator) -> None:
    """Initialize with 0."""
    values.zero_()


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """A copy of the loaded tensors, and the names of those that are newly initialized for every fit.

    The model's own initializer draws `newly_initialized` and `by_task`, the latter from one seed for each task.
    `adapters` are initialized each by its own function.
    """

    loaded: dict[str, torch.Tensor]
    newly_initialized: tuple[str, ...]
    adapters: Mapping[str, Initializer] = field(default_factory=dict)
    by_task: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: "PreTrainedModel", newly_initialized: Collection[str]) -> "InitialWeights":
        """Copy a model's current weights, except the newly initialized ones."""
        parameters = dict(model.named_parameters())
        loaded = {name: p.detach().clone() for name, p in parameters.items() if name not in newly_initialized}
        return cls(loaded, tuple(name for name in parameters if name in newly_initialized))

    @torch.no_grad()
    def restore(self, model: "PreTrainedModel", seed: int) -> None:
        """Copy the loaded tensors in place, initialize the others from the seed, and require all gradients again."""
        parameters = dict(model.named_parameters())
        for name, tensor in self.loaded.items():
            parameters[name].copy_(tensor)
        self._initialize(model, self.newly_initialized, child_seed(seed, "head"))
        for task, names in self.by_task.items():
            self._initialize(model, names, child_seed(seed, "head", task))
        generator = torch.Generator().manual_seed(child_seed(seed, "adapter"))
        for name, initialize in self.adapters.items():
            values = torch.empty_like(parameters[name], device="cpu")
            initialize(values, generator)
            parameters[name].copy_(values)
        for parameter in parameters.values():
            parameter.grad = None
            parameter.requires_grad_(True)

    def _initialize(self, model: "PreTrainedModel", names: Collection[str], seed: int) -> None:
        """Run the model's own initializer on the CPU, so that every device starts from the same values."""
        self._flag_for_initialization(model, names)
        parameters = [model.get_parameter(name) for name in names]
        on_device = [parameter.data for parameter in parameters]
        try:
            for parameter in parameters:
                parameter.data = torch.zeros_like(parameter, device="cpu")
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPU too
                model.initialize_weights()
            for tensor, parameter in zip(on_device, parameters, strict=True):
                tensor.copy_(parameter.data)
        finally:
            for tensor, parameter in zip(on_device, parameters, strict=True):
                parameter.data = tensor

    def _flag_for_initialization(self, model: "PreTrainedModel", names: Collection[str]) -> None:
        """Set transformers' flag of initialized modules and parameters on all but these, their modules and parents.

        Some architectures initialize a layer in the branch of its parent module.
        """
        modules = {name.rpartition(".")[0] for name in names}
        paths = modules | {path.rpartition(".")[0] for path in modules}
        for name, module in model.named_modules():
            module._is_hf_initialized = name not in paths
        for name, parameter in model.named_parameters():
            parameter._is_hf_initialized = name not in names
