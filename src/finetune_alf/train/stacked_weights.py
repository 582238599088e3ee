"""The weights of several members of a fused fit, stacked: one row a member, one stack an address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Self

import torch


@dataclass(frozen=True)
class StackedWeights:
    """One address's weights in K members, flat, and their gradients; the parameters are views of them.

    Matrices come first, `n_decayed` elements; biases and norms follow and get no weight decay.
    """

    values: torch.Tensor  # (K, P)
    gradients: torch.Tensor  # (K, P)
    parameters: Mapping[str, torch.Tensor]  # (K, ...) each, leaves whose gradients backward adds to `gradients`
    n_decayed: int

    @classmethod
    def of(cls, parameters: Mapping[str, torch.Tensor], n_members: int) -> Self:
        """Stack an address's parameters, with equal values for all members."""
        ordered = sorted(parameters, key=lambda name: parameters[name].ndim <= 1)
        shapes = {name: parameters[name].shape for name in ordered}
        flat = torch.cat([parameters[name].detach().flatten() for name in ordered])
        n_decayed = sum(parameters[name].numel() for name in ordered if parameters[name].ndim > 1)
        return cls._from_values(flat.expand(n_members, -1).clone(), shapes, n_decayed)

    def select(self, members: Sequence[int]) -> Self:
        """Return the stack of some members, with zero gradients."""
        shapes = {name: parameter.shape[1:] for name, parameter in self.parameters.items()}
        return self._from_values(self.values[list(members)], shapes, self.n_decayed)

    @classmethod
    def _from_values(cls, values: torch.Tensor, shapes: Mapping[str, torch.Size], n_decayed: int) -> Self:
        gradients = torch.zeros_like(values)
        parameters = {}
        start = 0
        for name, shape in shapes.items():
            columns = slice(start, start + prod(shape))
            leaf = values[:, columns].view(-1, *shape).detach().requires_grad_()
            accumulate = partial(_accumulate, gradients[:, columns].view(-1, *shape))
            leaf.register_post_accumulate_grad_hook(accumulate)  # type: ignore[no-untyped-call]
            parameters[name], start = leaf, columns.stop
        return cls(values, gradients, parameters, n_decayed)


def _accumulate(total: torch.Tensor, leaf: torch.Tensor) -> None:
    """Add a gradient as soon as backward has computed it, then free it: torch accepts no strided view as `.grad`."""
    if leaf.grad is not None:
        total += leaf.grad
        leaf.grad = None
