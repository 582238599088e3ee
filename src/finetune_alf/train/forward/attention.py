"""Attention of one padded block, with dropout, in as few passes over the scores as possible."""

from typing import Any

import torch

OptionalTensor = torch.Tensor | None


class _Attention(torch.autograd.Function):
    """Compute softmax(q k' + bias) * mask v; the gradient is written by hand, autograd would keep more copies."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        dropout_mask: torch.Tensor | None,
    ) -> torch.Tensor:
        output, weights = _attend(query, key, value, bias, dropout_mask)
        ctx.save_for_backward(query, key, value, weights, dropout_mask)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient = gradients[0]
        query, key, value, weights, dropout_mask = ctx.saved_tensors
        dropped = weights if dropout_mask is None else weights * dropout_mask
        value_gradient = dropped.transpose(-1, -2) @ gradient
        weights_gradient = gradient @ value.transpose(-1, -2)
        if dropout_mask is not None:
            weights_gradient.mul_(dropout_mask)
        scores_gradient = torch._softmax_backward_data(weights_gradient, weights, -1, weights.dtype)
        return scores_gradient @ key, scores_gradient.transpose(-1, -2) @ query, value_gradient, None, None


class _VmapAttention(torch.autograd.Function):
    """The same for `torch.func.vmap`, which requires `setup_context`; slower outside vmap."""

    @staticmethod
    def forward(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: OptionalTensor,
        dropout_mask: OptionalTensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return _attend(query, key, value, bias, dropout_mask)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[OptionalTensor, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        query, key, value, _, dropout_mask = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # no zeros for the weights' gradient
        ctx.save_for_backward(query, key, value, output[1], dropout_mask)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[OptionalTensor, ...]:
        return _Attention.backward(ctx, *gradients)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: OptionalTensor) -> tuple[Any, tuple[int, int]]:
        """Move the members to dimension 0: matrix products and softmax treat it as one more batch dimension."""
        moved = [x if x is None or dim is None else x.movedim(dim, 0) for x, dim in zip(inputs, in_dims, strict=True)]
        return _VmapAttention.apply(*moved), (0, 0)  # type: ignore[no-untyped-call]


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: OptionalTensor, dropout_mask: OptionalTensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the attention output, and the attention weights before dropout."""
    scores = query @ key.transpose(-1, -2)
    if bias is not None:
        scores.add_(bias)
    weights = torch.softmax(scores, -1, dtype=scores.dtype)  # autocast on CUDA would make it fp32, backward not
    dropped = weights if dropout_mask is None else weights * dropout_mask
    return dropped @ value, weights


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    dropout_mask: torch.Tensor | None,
) -> torch.Tensor:
    """Return softmax(query key') value, (n, heads, queries, dim); the query must be scaled already.

    `bias` (n, 1, 1, keys) is added to the scores; `dropout_mask`, of the scores' shape, multiplies the weights.
    """
    output: torch.Tensor = _Attention.apply(query, key, value, bias, dropout_mask)  # type: ignore[no-untyped-call]
    return output


def attention_vmap(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    dropout_mask: torch.Tensor | None,
) -> torch.Tensor:
    """Return the same as `attention`, inside `torch.func.vmap`; map over all of query, key and value, or none."""
    inputs = (query, key, value, bias, dropout_mask)
    output: torch.Tensor = _VmapAttention.apply(*inputs)[0]  # type: ignore[no-untyped-call]
    return output
