"""FusedForward: the packed forward pass of several sets of weights at once, for fused fits.

Everything below the lowest address that differs is computed once for all members; above it, matrix products of stacked
weights are batched (`torch.func.vmap`: one `baddbmm` instead of one product a member). Each dropout mask is drawn once,
in the order of a member's own fit, so that each member gets the same masks as alone.
Exactness: the same mathematics as PackedForward, member by member, in another rounding order. On CUDA, where torch's
attention draws its own masks in a single fit, a member has others: the same distribution.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch.func import functional_call, vmap

from finetune_alf.recipe import Pooling
from finetune_alf.train.forward.block_attention import VmapBlockAttention
from finetune_alf.train.forward.pack import PackedBatch
from finetune_alf.train.forward.packed import FrozenFeatures, PackedForward
from finetune_alf.train.forward.table import TokenTable

Weights = Mapping[str, torch.Tensor]
"""Tensors by parameter name, (K, ...) each: a row a member."""


class FusedForward(PackedForward):
    """The forward pass of one model for K members, each with its own values of some weights."""

    attention_type = VmapBlockAttention

    def __init__(self, model: Any, seed: int = 0, pooling: Pooling = "first") -> None:
        """Wrap a model; the seed is for its dropout, `pooling` is what its head reads of a text."""
        super().__init__(model, seed, pooling)
        linear = [path for path, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
        names = {f"{path}.{name}" for path in linear for name in ("weight", "bias")}
        self._linear_parameters = {name: p for name, p in model.named_parameters() if name in names}
        self._shared: dict[str, torch.Tensor] = {}

    def fused(
        self, weights: Weights, table: TokenTable, batch: PackedBatch, features: FrozenFeatures | None = None
    ) -> torch.Tensor:
        """Return each member's logits of a batch, (K, rows, classes); other weights come from the model."""
        stacked = {f"model.{name}": self._cast(name, tensor) for name, tensor in weights.items()}
        module = _ForwardModule(self)
        shared = self._shared_weights(weights) if torch.is_autocast_enabled(table.device.type) else {}

        def member_logits(own: dict[str, torch.Tensor]) -> torch.Tensor:
            arguments = (table, batch, features)
            logits: torch.Tensor = functional_call(module, {**shared, **own}, arguments, tie_weights=False)
            return logits

        with _shared_dropout(self.model):
            logits: torch.Tensor = vmap(member_logits, randomness="same")(stacked)
        return logits

    def _cast(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Cast as autocast does for a linear layer; vmap decomposes the layer before autocast applies."""
        device_type = tensor.device.type
        if name not in self._linear_parameters or not torch.is_autocast_enabled(device_type):
            return tensor
        return tensor.to(torch.get_autocast_dtype(device_type))

    def _shared_weights(self, stacked: Weights) -> dict[str, torch.Tensor]:
        """Return the model's own weights of linear layers as `_cast` has them, cast once: no member trains them.

        A layer that all members freeze may lie above one that they train.
        """
        own = {name: weight for name, weight in self._linear_parameters.items() if name not in stacked}
        with torch.inference_mode(False), torch.no_grad():  # an evaluation may be first, and training takes them too
            self._shared |= {name: self._cast(name, own[name]) for name in own if name not in self._shared}
        return {f"model.{name}": self._shared[name] for name in own}


class _ForwardModule(torch.nn.Module):
    """A forward pass as a module, which functional_call requires."""

    def __init__(self, packed: PackedForward) -> None:
        super().__init__()
        self.model = packed.model
        self._packed = packed

    def forward(self, table: TokenTable, batch: PackedBatch, features: FrozenFeatures | None) -> torch.Tensor:
        return self._packed.logits(table, batch, features)


@contextmanager
def _shared_dropout(model: torch.nn.Module) -> Iterator[None]:
    """Make the head's dropout, which is torch's own, draw one mask for all members: the one of a single fit.

    On CUDA, dropout under vmap uses another kernel than outside it, and so another random stream.
    """
    modules = [module for module in model.modules() if type(module) is torch.nn.Dropout]
    for module in modules:
        module.forward = partial(_apply_shared_dropout, module)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _apply_shared_dropout(module: torch.nn.Dropout, x: torch.Tensor) -> torch.Tensor:
    if not (module.training and module.p):
        return x
    mask: torch.Tensor = _HeadDropoutMask.apply(x, module.p)  # type: ignore[no-untyped-call]
    return x * mask


class _HeadDropoutMask(torch.autograd.Function):
    """The mask of torch's dropout for one member, drawn outside vmap."""

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
        return _HeadDropoutMask.apply(x.select(in_dims[0], 0), p), None  # type: ignore[no-untyped-call]
