"""Attention of one padded box, with dropout, in as few passes over the scores as they allow."""

from typing import Any

import torch


class _Heard(torch.autograd.Function):
    """softmax(q k' + bias) * noise v; the gradient by hand, since autograd would keep and walk more copies."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        noise: torch.Tensor | None,
    ) -> torch.Tensor:
        scores = query @ key.transpose(-1, -2)
        if bias is not None:
            scores.add_(bias)
        weights = torch.softmax(scores, -1, dtype=scores.dtype)  # autocast on CUDA would make it fp32, backward not
        dropped = weights if noise is None else weights * noise
        ctx.save_for_backward(query, key, value, weights, noise)
        return dropped @ value

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        query, key, value, weights, noise = ctx.saved_tensors
        dropped = weights if noise is None else weights * noise
        to_value = dropped.transpose(-1, -2) @ gradient
        to_weights = gradient @ value.transpose(-1, -2)
        if noise is not None:
            to_weights.mul_(noise)
        to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
        return to_scores @ key, to_scores.transpose(-1, -2) @ query, to_value, None, None


def heard(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    noise: torch.Tensor | None,
) -> torch.Tensor:
    """Return softmax(query key') value, (n, heads, asked, dim); the query comes scaled.

    `bias` (n, 1, 1, heard) is added to the scores; `noise`, of the scores' shape, multiplies the weights: dropout.
    """
    result: torch.Tensor = _Heard.apply(query, key, value, bias, noise)  # type: ignore[no-untyped-call]
    return result
