"""Weights of several members of a fused fit, stacked: a row a member, an address at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Self

import torch


@dataclass(frozen=True)
class Stack:
    """One address's weights in K members, flat, and their gradients; the tensors of the model are views of them.

    Matrices come first, `n_decayed` elements: biases and norms, which follow, do not decay.
    """

    values: torch.Tensor  # (K, P)
    gradients: torch.Tensor  # (K, P)
    tensors: Mapping[str, torch.Tensor]  # (K, ...) each, leaves whose gradients backward adds to `gradients`
    n_decayed: int

    @classmethod
    def of(cls, parameters: Mapping[str, torch.Tensor], n_members: int) -> Self:
        """Stack an address's parameters, the same for all members."""
        ordered = sorted(parameters, key=lambda name: parameters[name].ndim <= 1)
        shapes = {name: parameters[name].shape for name in ordered}
        flat = torch.cat([parameters[name].detach().flatten() for name in ordered])
        n_decayed = sum(parameters[name].numel() for name in ordered if parameters[name].ndim > 1)
        return cls._over(flat.expand(n_members, -1).clone(), shapes, n_decayed)

    def only(self, members: Sequence[int]) -> Self:
        """Return the stack of some of its members; gradients start anew."""
        shapes = {name: tensor.shape[1:] for name, tensor in self.tensors.items()}
        return self._over(self.values[list(members)], shapes, self.n_decayed)

    @classmethod
    def _over(cls, values: torch.Tensor, shapes: Mapping[str, torch.Size], n_decayed: int) -> Self:
        gradients = torch.zeros_like(values)
        tensors = {}
        start = 0
        for name, shape in shapes.items():
            here = slice(start, start + prod(shape))
            leaf = values[:, here].view(-1, *shape).detach().requires_grad_()
            collect = partial(_collect, gradients[:, here].view(-1, *shape))
            leaf.register_post_accumulate_grad_hook(collect)  # type: ignore[no-untyped-call]
            tensors[name], start = leaf, here.stop
        return cls(values, gradients, tensors, n_decayed)


def _collect(total: torch.Tensor, leaf: torch.Tensor) -> None:
    """Add a gradient as soon as backward has it, and let it go: torch wants no strided view for a `.grad`."""
    if leaf.grad is not None:
        total += leaf.grad
        leaf.grad = None
