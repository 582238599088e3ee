"""The learning rate of each parameter at each step: rates[address] x curve(step) x unfrozen(address, epoch)."""

import logging
from collections.abc import Collection, Mapping
from typing import Any, Protocol

import torch

from finetune_alf.encoder.anatomy import Anatomy, anatomy_of
from finetune_alf.encoder.encoder import Encoder
from finetune_alf.encoder.wrapped import is_replaced
from finetune_alf.errors import RatesError
from finetune_alf.rates import Address, LayerRates, rate_source
from finetune_alf.recipe import AdamW, Optimizer, Recipe

log = logging.getLogger(__name__)

ParamGroup = dict[str, Any]

_FROZEN_HERE = "_frozen_by_rates"
"""Marks the parameters that rates have frozen, which other rates may open again; what the user froze stays frozen."""


class HasRates(Protocol):
    """What has LayerRates, such as a Schedule."""

    @property
    def rates(self) -> LayerRates:
        """The learning rate of each address."""


def param_groups(
    model: torch.nn.Module | Encoder,
    rates: LayerRates | HasRates,
    *,
    weight_decay: float = 0.0,
    anatomy: Anatomy | None = None,
) -> list[ParamGroup]:
    """Return optimizer parameter groups that give every address of a model its rate, by rates or by a schedule.

    An address with a rate of 0 gets `requires_grad=False` and no group, and so does a parameter that was frozen before,
    which a warning names. Biases and norms get no weight decay. Each group names its `address`. Raises EncoderError
    when `anatomy_of` does, and RatesError when the rates have another depth, or freeze everything.
    """
    module, anatomy = resolve(model, anatomy)
    by_address = anatomy.rates(rates if isinstance(rates, LayerRates) else rates.rates)
    frozen = frozen_before(module)
    groups = _groups(module, anatomy, by_address, weight_decay, frozen)
    _mark(module, frozen)
    _warn_of_frozen(anatomy, by_address, frozen)
    return groups


def resolve(model: torch.nn.Module | Encoder, anatomy: Anatomy | None = None) -> tuple[torch.nn.Module, Anatomy]:
    """Return a model and its anatomy, both those of an Encoder where it is one."""
    if isinstance(model, Encoder):
        return model.model, anatomy or model.anatomy
    return model, anatomy or anatomy_of(model)


def frozen_before(model: torch.nn.Module) -> set[str]:
    """Return the names of the parameters that are frozen, but not by rates."""
    return {name for name, p in model.named_parameters() if not (p.requires_grad or hasattr(p, _FROZEN_HERE))}


def _mark(model: torch.nn.Module, frozen: Collection[str]) -> None:
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and name not in frozen:
            setattr(parameter, _FROZEN_HERE, True)
        elif hasattr(parameter, _FROZEN_HERE):
            delattr(parameter, _FROZEN_HERE)


def _warn_of_frozen(anatomy: Anatomy, rates: Mapping[Address, float], frozen: Collection[str]) -> None:
    """Name what stays frozen against its rate, but for what PEFT has replaced by a copy or an adapter."""
    kept = [
        name
        for address, names in anatomy.parameters.items()
        for name in names
        if rates[address] and name in frozen and not is_replaced(name)
    ]
    if kept:
        more = f" and {len(kept) - 3} more" if len(kept) > 3 else ""
        log.warning(
            "%s%s: frozen before the rates were applied, and stays frozen. To train all that has a rate, call "
            "model.requires_grad_(True) first.",
            ", ".join(kept[:3]),
            more,
        )


def _groups(
    model: torch.nn.Module,
    anatomy: Anatomy,
    rates: Mapping[Address, float],
    weight_decay: float,
    frozen: Collection[str] = (),
) -> list[ParamGroup]:
    by_name = dict(model.named_parameters())
    groups: list[ParamGroup] = []
    for address, rate in rates.items():
        for name in anatomy.parameters[address]:
            by_name[name].requires_grad_(rate > 0 and name not in frozen)
        if rate > 0:
            trained = [by_name[name] for name in anatomy.parameters[address] if name not in frozen]
            groups += _split_by_decay(trained, address, rate, weight_decay)
    if not groups:
        raise RatesError("rates: must be above 0 for at least one address, but got 0 everywhere.")
    return groups


def _split_by_decay(
    parameters: list[torch.nn.Parameter], address: Address, rate: float, weight_decay: float
) -> list[ParamGroup]:
    """Return one group without weight decay, else two; weights come first in both cases."""
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    pairs = ((matrices, weight_decay), (vectors, 0.0)) if weight_decay else ((matrices + vectors, 0.0),)
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
        self.optimizer = torch_optimizer(groups, recipe.optimizer)

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


def torch_optimizer(groups: list[ParamGroup], spec: Optimizer) -> torch.optim.Optimizer:
    """Return torch's optimizer of a recipe's."""
    if isinstance(spec, AdamW):
        return torch.optim.AdamW(groups, betas=spec.betas, eps=spec.eps, fused=True)
    return torch.optim.SGD(groups, momentum=spec.momentum, nesterov=spec.nesterov)
