"""The learning rate of each parameter at each step: rates[address] x curve(step) x unfrozen(address, epoch)."""

from collections.abc import Mapping
from typing import Any

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.errors import RatesError
from finetune_alf.rates import Address, LayerRates, rate_source
from finetune_alf.recipe import AdamW, Optimizer, Recipe

ParamGroup = dict[str, Any]


def param_groups(
    model: torch.nn.Module, rates: LayerRates, *, weight_decay: float = 0.0, anatomy: Anatomy | None = None
) -> list[ParamGroup]:
    """Return optimizer parameter groups that give every address of a transformers classifier its rate.

    An address with a rate of 0 gets `requires_grad=False` and no group. Biases and norms get no weight decay.
    Each group names its `address`. Raises RatesError when the rates have another depth, or freeze everything.
    """
    anatomy = anatomy or anatomy_of(model)
    return _groups(model, anatomy, anatomy.rates(rates), weight_decay)


def _groups(
    model: torch.nn.Module, anatomy: Anatomy, rates: Mapping[Address, float], weight_decay: float
) -> list[ParamGroup]:
    by_name = dict(model.named_parameters())
    groups: list[ParamGroup] = []
    for address, rate in rates.items():
        parameters = [by_name[name] for name in anatomy.parameters[address]]
        for parameter in parameters:
            parameter.requires_grad_(rate > 0)
        if rate > 0:
            groups += _split_by_decay(parameters, address, rate, weight_decay)
    if not groups:
        raise RatesError("rates: must be above 0 for at least one address, but got 0 everywhere.")
    return groups


def _split_by_decay(
    parameters: list[torch.nn.Parameter], address: Address, rate: float, weight_decay: float
) -> list[ParamGroup]:
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    pairs = ((matrices, weight_decay), (vectors, 0.0))
    return [
        {"params": params, "lr": rate, "weight_decay": decay, "address": address} for params, decay in pairs if params
    ]


class LayerwiseOptimizer:
    """An optimizer whose parameter groups follow rates, and a recipe's curve and unfreezing."""

    def __init__(
        self,
        model: torch.nn.Module,
        anatomy: Anatomy,
        recipe: Recipe,
        rates: Mapping[Address, float],
        n_steps: int,
    ) -> None:
        """Build the groups; `rates` are those of the recipe by the anatomy's own addresses."""
        self._recipe, self._rates, self._n_steps, self._n_layers = recipe, rates, n_steps, anatomy.n_layers
        groups = _groups(model, anatomy, rates, recipe.optimizer.weight_decay)
        self.optimizer = _torch_optimizer(groups, recipe.optimizer)

    def start_epoch(self, epoch: int) -> set[Address]:
        """Set `requires_grad` as the unfreezing says for this epoch. Returns the trainable addresses."""
        trainable = set()
        for group in self.optimizer.param_groups:
            is_unfrozen = self._recipe.unfreezing.is_unfrozen(rate_source(group["address"]), epoch, self._n_layers)
            if is_unfrozen:
                trainable.add(group["address"])
            for parameter in group["params"]:
                parameter.requires_grad_(is_unfrozen)
        return trainable

    def step(self, step: int) -> None:
        """Clip the gradients, set each group's rate for this step of the fit, counted from 0, and take the step."""
        if self._recipe.clip is not None:
            _clip(self.parameters(), self._recipe.clip)
        factor = self._recipe.curve.at(step, self._n_steps, self._recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rates[group["address"]] * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def parameters(self) -> list[torch.nn.Parameter]:
        """Return every parameter with a rate above 0."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]


def _clip(parameters: list[torch.nn.Parameter], max_norm: float) -> None:
    """Clip the norm of all gradients; on a CPU, where reading it costs no synchronisation, only if it is too large."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if norm.device.type != "cpu" or norm > max_norm:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def _torch_optimizer(groups: list[ParamGroup], spec: Optimizer) -> torch.optim.Optimizer:
    if isinstance(spec, AdamW):
        return torch.optim.AdamW(groups, betas=spec.betas, eps=spec.eps, fused=True)
    return torch.optim.SGD(groups, momentum=spec.momentum, nesterov=spec.nesterov)
