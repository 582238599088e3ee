"""Optimizer steps over rows of stacked weights, each at its own rate: torch.optim's mathematics, member by member.

A few `torch._foreach_*` calls move all rows, however many members there are. No rate is a tensor, so that no step
synchronises with the device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from finetune_alf.recipe import SGD, AdamW, Optimizer
from finetune_alf.train.stacked_weights import StackedWeights


@dataclass
class OptimizerState:
    """The optimizer state of one stack: its number of steps, and AdamW's moments or SGD's momentum, (K, P) each."""

    n_steps: int = 0
    moments: list[torch.Tensor] = field(default_factory=list)

    @classmethod
    def of(cls, stack: StackedWeights, spec: Optimizer) -> "OptimizerState":
        """Return the state before the first step."""
        n_moments = 2 if isinstance(spec, AdamW) else int(spec.momentum > 0)
        return cls(0, [torch.zeros_like(stack.values) for _ in range(n_moments)])

    def select(self, members: Sequence[int]) -> "OptimizerState":
        """Return the state of some members."""
        return OptimizerState(self.n_steps, [moment[list(members)] for moment in self.moments])


@dataclass(frozen=True)
class Row:
    """One member's weights at one address, (P,): views of a stack and its optimizer state."""

    value: torch.Tensor
    gradient: torch.Tensor
    moments: tuple[torch.Tensor, ...]
    n_decayed: int
    state: OptimizerState

    @classmethod
    def of(cls, stack: StackedWeights, state: OptimizerState, member: int) -> "Row":
        """Return a member's row."""
        moments = tuple(moment[member] for moment in state.moments)
        return cls(stack.values[member], stack.gradients[member], moments, stack.n_decayed, state)


@torch.no_grad()
def take_step(rows: Sequence[Row], rates: Sequence[float], spec: Optimizer) -> None:
    """Update every row at its rate; `state.n_steps` of each row already includes this step."""
    if isinstance(spec, AdamW):
        _adamw(rows, rates, spec)
    else:
        _sgd(rows, rates, spec)


def _adamw(rows: Sequence[Row], rates: Sequence[float], spec: AdamW) -> None:
    values, gradients = [row.value for row in rows], [row.gradient for row in rows]
    first, second = ([row.moments[index] for row in rows] for index in (0, 1))
    beta1, beta2 = spec.betas
    if spec.weight_decay:
        torch._foreach_mul_(_decayed(rows, values), [1 - rate * spec.weight_decay for rate in rates])
    torch._foreach_lerp_(first, gradients, 1 - beta1)
    torch._foreach_mul_(second, beta2)
    torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
    denominators = torch._foreach_sqrt(second)
    torch._foreach_div_(denominators, [math.sqrt(1 - beta2**row.state.n_steps) for row in rows])
    torch._foreach_add_(denominators, spec.eps)
    step_sizes = [-rate / (1 - beta1**row.state.n_steps) for rate, row in zip(rates, rows, strict=True)]
    torch._foreach_addcdiv_(values, first, denominators, step_sizes)


def _sgd(rows: Sequence[Row], rates: Sequence[float], spec: SGD) -> None:
    values, gradients = [row.value for row in rows], [row.gradient for row in rows]
    if spec.weight_decay:
        torch._foreach_add_(_decayed(rows, gradients), _decayed(rows, values), alpha=spec.weight_decay)
    if spec.momentum:
        momenta = [row.moments[0] for row in rows]
        torch._foreach_mul_(momenta, spec.momentum)
        torch._foreach_add_(momenta, gradients)
        if spec.nesterov:
            torch._foreach_add_(gradients, momenta, alpha=spec.momentum)
        else:
            gradients = momenta
    torch._foreach_add_(values, torch._foreach_mul(gradients, [-rate for rate in rates]))


def _decayed(rows: Sequence[Row], tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the part of each tensor that weight decay applies to."""
    return [tensor[: row.n_decayed] for row, tensor in zip(rows, tensors, strict=True)]
