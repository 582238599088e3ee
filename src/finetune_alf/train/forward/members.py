"""MembersForward: the packed forward pass of several sets of weights at once, for fits that run in lockstep.

What is below the lowest address that differs is computed once for all members; above it, matrix products of stacked
weights are batched (`torch.func.vmap`: one `baddbmm` each instead of one product a member). Dropout noise is drawn
once a place, in the order of a member's own fit, so that each member sees the noise that it would see alone.
Exactness: the same mathematics as PackedForward, member by member, in another rounding order.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch.func import functional_call, vmap

from finetune_alf.train.forward.attention import heard_together
from finetune_alf.train.forward.pack import Group
from finetune_alf.train.forward.packed import PackedForward, Prefix
from finetune_alf.train.forward.table import TokenTable

Weights = Mapping[str, torch.Tensor]
"""Tensors by parameter name, (K, ...) each: a row a member."""


class MembersForward(PackedForward):
    """The forward pass of one model with some of its weights given, K times over."""

    def __init__(self, model: Any, seed: int = 0) -> None:
        """Take a model; the seed is that of its dropout."""
        super().__init__(model, seed)
        products = [path for path, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        self._in_products = {f"{path}.{name}" for path in products for name in ("weight", "bias")}

    def together(
        self, weights: Weights, table: TokenTable, rows: Sequence[int], prefix: Prefix | None = None
    ) -> torch.Tensor:
        """Return each member's logits of these texts, (K, rows, classes); what is not in `weights` is the model's."""
        swapped = {f"model.{name}": self._cast(name, tensor) for name, tensor in weights.items()}
        shell = _Shell(self)

        def member(own: dict[str, torch.Tensor]) -> torch.Tensor:
            logits: torch.Tensor = functional_call(shell, own, (table, rows, prefix), tie_weights=False)
            return logits

        with _shared_dropout(self.model):
            answered: torch.Tensor = vmap(member, randomness="same")(swapped)
        return answered

    def _cast(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Do by hand what autocast does to a linear layer, which vmap takes apart before autocast sees it."""
        kind = tensor.device.type
        if name not in self._in_products or not torch.is_autocast_enabled(kind):
            return tensor
        return tensor.to(torch.get_autocast_dtype(kind))

    def _hear(
        self, layer: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, group: Group
    ) -> torch.Tensor:
        """Attend in a way that vmap knows: it has no rule for the CPU's scaled_dot_product_attention."""
        bias = None if group.bias is None else group.bias.to(query.dtype)
        noise = None
        if layer.whole.training and self.attention_dropout:
            scores = torch.Size((*query.shape[:-1], key.shape[-2]))
            noise = self.noise.draw(scores, self.attention_dropout, query)
        return heard_together(query, key, value, bias, noise)


class _Shell(torch.nn.Module):
    """A forward pass as a module, as functional_call wants it."""

    def __init__(self, packed: PackedForward) -> None:
        super().__init__()
        self.model = packed.model
        self._packed = packed

    def forward(self, table: TokenTable, rows: Sequence[int], prefix: Prefix | None) -> torch.Tensor:
        return self._packed(table, rows, prefix)


@contextmanager
def _shared_dropout(model: torch.nn.Module) -> Iterator[None]:
    """Let the dropout of a head, which is torch's own, draw once for all members what it would draw for one.

    On CUDA it draws in another kernel under vmap than outside it, and the stream would part from a member's own.
    """
    modules = [module for module in model.modules() if type(module) is torch.nn.Dropout]
    for module in modules:
        module.forward = partial(_dropped, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _dropped(module: torch.nn.Dropout, x: torch.Tensor) -> torch.Tensor:
    if not (module.training and module.p):
        return x
    noise: torch.Tensor = _HeadNoise.apply(x, module.p)  # type: ignore[no-untyped-call]
    return x * noise


class _HeadNoise(torch.autograd.Function):
    """What torch's dropout multiplies a tensor with, drawn outside of vmap and for one member."""

    @staticmethod
    def forward(x: torch.Tensor, p: float) -> torch.Tensor:
        return F.dropout(torch.ones_like(x), p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, float], output: torch.Tensor) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, None]:
        return None, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], x: torch.Tensor, p: float) -> tuple[Any, None]:
        return _HeadNoise.apply(x.select(in_dims[0], 0), p), None  # type: ignore[no-untyped-call]
