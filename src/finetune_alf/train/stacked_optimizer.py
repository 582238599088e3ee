"""StackedOptimizer: the LayerwiseOptimizer of several fused fits, with rates[member][address] x curve x unfrozen.

A row with a rate of 0 is never touched: frozen weights stay the same to the bit, whatever other members do.
"""

from collections.abc import Mapping, Sequence

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.rates import Address, rate_source
from finetune_alf.recipe import Recipe
from finetune_alf.train.forward.fused import Weights
from finetune_alf.train.frozen import mark_frozen
from finetune_alf.train.stacked_step import OptimizerState, Row, take_step
from finetune_alf.train.stacked_weights import StackedWeights

CLIP_EPS = 1e-6
"""torch.nn.utils.clip_grad_norm_ adds this to a norm before it divides by it."""


class StackedOptimizer:
    """Stacked weights of all addresses that are trainable in some member, and their optimizer steps.

    The model keeps its initial weights, which all members share. Unfreezing makes addresses trainable and never
    freezes them again.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        anatomy: Anatomy,
        recipe: Recipe,
        rates: Sequence[Mapping[Address, float]],
        n_steps: int,
    ) -> None:
        self._model, self._anatomy, self._recipe, self._n_steps = model.requires_grad_(False), anatomy, recipe, n_steps
        mark_frozen(model)
        self._rates = list(rates)
        self._stacks: dict[Address, StackedWeights] = {}
        self._states: dict[Address, OptimizerState] = {}
        self._rows: list[tuple[Address, int, Row]] = []
        self._is_trainable: dict[Address, torch.Tensor] = {}  # (K,) each, on the device, so that no step synchronises

    def start_epoch(self, epoch: int) -> set[Address]:
        """Stack the addresses that are unfrozen in this epoch for some member. Returns the trainable addresses."""
        for address in self._anatomy.addresses:
            is_unfrozen = self._recipe.unfreezing.is_unfrozen(rate_source(address), epoch, self._anatomy.n_layers)
            if is_unfrozen and self._members_with_rate(address) and address not in self._stacks:
                names = self._anatomy.parameters[address]
                parameters = {name: self._model.get_parameter(name) for name in names}
                self._stacks[address] = StackedWeights.of(parameters, len(self._rates))
                self._states[address] = OptimizerState.of(self._stacks[address], self._recipe.optimizer)
        self._rows = [
            (address, member, Row.of(stack, self._states[address], member))
            for address, stack in self._stacks.items()
            for member in self._members_with_rate(address)
        ]
        device = next(self._model.parameters()).device
        self._is_trainable = {
            address: torch.tensor([rates[address] > 0 for rates in self._rates], device=device)
            for address in self._stacks
        }
        return set(self._stacks)

    def weights(self) -> Weights:
        """Return every stacked parameter by its name, (K, ...)."""
        return {name: tensor for stack in self._stacks.values() for name, tensor in stack.parameters.items()}

    def weights_of(self, member: int) -> Weights:
        """Return one member's parameters, (1, ...) each: views, which change with the next step."""
        return {name: tensor.detach()[member : member + 1] for name, tensor in self.weights().items()}

    @torch.no_grad()
    def step(self, step: int) -> None:
        """Clip each member's gradients, and take step `step` of the fit, counted from 0, at each member's rates."""
        if self._recipe.clip is not None:
            self._clip(self._recipe.clip)
        for state in self._states.values():
            state.n_steps += 1
        factor = self._recipe.curve.at(step, self._n_steps, self._recipe.epochs)
        rates = [self._rates[member][address] * factor for address, member, _ in self._rows]
        take_step([row for _, _, row in self._rows], rates, self._recipe.optimizer)
        torch._foreach_zero_([stack.gradients for stack in self._stacks.values()])

    def select(self, members: Sequence[int]) -> None:
        """Keep these members only; addresses that none of them trains are no longer stacked."""
        self._rates = [self._rates[member] for member in members]
        addresses = [address for address in self._stacks if self._members_with_rate(address)]
        self._stacks = {address: self._stacks[address].select(members) for address in addresses}
        self._states = {address: self._states[address].select(members) for address in addresses}

    def _members_with_rate(self, address: Address) -> list[int]:
        """Return the members whose rate for this address is above 0."""
        return [member for member, rates in enumerate(self._rates) if rates[address] > 0]

    def _clip(self, max_norm: float) -> None:
        """Clip the norm of each member's gradients, over its trainable addresses."""
        squares = []
        for address, stack in self._stacks.items():
            norms = torch.linalg.vector_norm(stack.gradients, dim=1)  # (K,)
            squares.append(torch.where(self._is_trainable[address], norms.square(), 0))
        factors = (max_norm / (torch.stack(squares).sum(0).sqrt() + CLIP_EPS)).clamp(max=1)  # (K,)
        for stack in self._stacks.values():
            stack.gradients.mul_(factors[:, None])
