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
from finetune_alf.train.frozen import check_wrapped, frozen_by_user, mark_frozen

log = logging.getLogger(__name__)

ParamGroup = dict[str, Any]


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
    when `anatomy_of` does, and RatesError when the rates have another depth, when nothing is left to learn, and when
    they freeze or open parameters of a DistributedDataParallel, which must be built after the groups.
    """
    module, anatomy = resolve(model, anatomy)
    by_address = anatomy.rates(rates if isinstance(rates, LayerRates) else rates.rates)
    frozen = frozen_by_user(module)
    groups = _groups(module, anatomy, by_address, weight_decay, frozen)
    mark_frozen(module, frozen)
    _warn_of_frozen(anatomy, by_address, frozen)
    return groups


def resolve(model: torch.nn.Module | Encoder, anatomy: Anatomy | None = None) -> tuple[torch.nn.Module, Anatomy]:
    """Return a model and its anatomy, both those of an Encoder where it is one."""
    if isinstance(model, Encoder):
        return model.model, anatomy or model.anatomy
    return model, anatomy or anatomy_of(model)


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
    trained = {
        address: [name for name in anatomy.parameters[address] if name not in frozen]
        for address, rate in rates.items()
        if rate > 0
    }
    _check_trained(trained)
    check_wrapped(model, {name for names in trained.values() for name in names})
    for address in rates:
        for name in anatomy.parameters[address]:
            by_name[name].requires_grad_(name in trained.get(address, ()))
    groups: list[ParamGroup] = []
    for address, names in trained.items():
        groups += _split_by_decay([by_name[name] for name in names], address, rates[address], weight_decay)
    return groups


def _check_trained(trained: Mapping[Address, Collection[str]]) -> None:
    if not trained:
        raise RatesError("rates: must be above 0 for at least one address, but got 0 everywhere.")
    if not any(trained.values()):
        raise RatesError(
            f"rates: are above 0 for {', '.join(trained)}, but all parameters there were frozen before the rates were "
            "applied. To train them, call model.requires_grad_(True) first."
        )


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
        self._model, self._recipe, self._rates = model, recipe, rates
        self._n_steps, self._n_layers = n_steps, anatomy.n_layers
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
        mark_frozen(self._model)
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
