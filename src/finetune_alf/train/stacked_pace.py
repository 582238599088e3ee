"""StackedPace: what `lr.py` is to one fit, for several in lockstep; rates[member][address] x curve x open.

A row whose rate is 0 is never touched: frozen weights stay as they are to the bit, whatever other members do.
"""

from collections.abc import Sequence

import torch

from finetune_alf.encoder.anatomy import Anatomy
from finetune_alf.rates import Address, LayerRates
from finetune_alf.recipe import Recipe
from finetune_alf.train.forward.members import Weights
from finetune_alf.train.stacked import Stack
from finetune_alf.train.stacked_step import Row, State, take_step

TINY = 1e-6
"""What torch.nn.utils.clip_grad_norm_ adds to a norm before it divides by it."""


class StackedPace:
    """Stacked weights of all addresses that are open in some member, and the steps that they take.

    The model keeps its first weights: they are what members share. A unfreezing opens addresses and closes none.
    """

    def __init__(
        self, model: torch.nn.Module, anatomy: Anatomy, recipe: Recipe, rates: Sequence[LayerRates], n_steps: int
    ) -> None:
        self._model, self._anatomy, self._recipe, self._n_steps = model.requires_grad_(False), anatomy, recipe, n_steps
        self._rates = list(rates)
        self._stacks: dict[Address, Stack] = {}
        self._states: dict[Address, State] = {}
        self._rows: list[tuple[Address, int, Row]] = []
        self._is_open: dict[Address, torch.Tensor] = {}  # (K,) each, on the device: a step waits for nothing

    def start_epoch(self, epoch: int) -> set[Address]:
        """Stack the addresses that the unfreezing opens in this epoch for some member. Returns the open ones."""
        for address in self._anatomy.addresses:
            is_unfrozen = self._recipe.unfreezing.is_unfrozen(address, epoch, self._anatomy.n_layers)
            if is_unfrozen and self._learners(address) and address not in self._stacks:
                names = self._anatomy.parameters[address]
                parameters = {name: self._model.get_parameter(name) for name in names}
                self._stacks[address] = Stack.of(parameters, len(self._rates))
                self._states[address] = State.of(self._stacks[address], self._recipe.optimizer)
        self._rows = [
            (address, member, Row.of(stack, self._states[address], member))
            for address, stack in self._stacks.items()
            for member in self._learners(address)
        ]
        device = next(self._model.parameters()).device
        self._is_open = {
            address: torch.tensor([rates[address] > 0 for rates in self._rates], device=device)
            for address in self._stacks
        }
        return set(self._stacks)

    def weights(self) -> Weights:
        """Return every stacked tensor by its parameter's name, (K, ...)."""
        return {name: tensor for stack in self._stacks.values() for name, tensor in stack.tensors.items()}

    def weights_of(self, member: int) -> Weights:
        """Return one member's tensors, (1, ...) each: views, which move with the next step."""
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

    def keep(self, members: Sequence[int]) -> None:
        """Go on with these members alone; addresses open in none of them are shared again."""
        self._rates = [self._rates[member] for member in members]
        learning = [address for address in self._stacks if self._learners(address)]
        self._stacks = {address: self._stacks[address].only(members) for address in learning}
        self._states = {address: self._states[address].only(members) for address in learning}

    def _learners(self, address: Address) -> list[int]:
        return [member for member, rates in enumerate(self._rates) if rates[address] > 0]

    def _clip(self, bound: float) -> None:
        """Bound the norm of each member's gradients, those at its open addresses alone."""
        squares = []
        for address, stack in self._stacks.items():
            norms = torch.linalg.vector_norm(stack.gradients, dim=1)  # (K,)
            squares.append(torch.where(self._is_open[address], norms.square(), 0))
        factors = (bound / (torch.stack(squares).sum(0).sqrt() + TINY)).clamp(max=1)  # (K,)
        for stack in self._stacks.values():
            stack.gradients.mul_(factors[:, None])
