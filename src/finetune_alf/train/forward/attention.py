"""Attention of one padded box, with dropout, in as few passes over the scores as they allow."""

from typing import Any

import torch

Maybe = torch.Tensor | None


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
        answer, weights = _hear(query, key, value, bias, noise)
        ctx.save_for_backward(query, key, value, weights, noise)
        return answer

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradient = gradients[0]
        query, key, value, weights, noise = ctx.saved_tensors
        dropped = weights if noise is None else weights * noise
        to_value = dropped.transpose(-1, -2) @ gradient
        to_weights = gradient @ value.transpose(-1, -2)
        if noise is not None:
            to_weights.mul_(noise)
        to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
        return to_scores @ key, to_scores.transpose(-1, -2) @ query, to_value, None, None


class _HeardTogether(torch.autograd.Function):
    """The same under `torch.func.vmap`, which asks for another shape of function; slower to call outside it."""

    @staticmethod
    def forward(
        query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: Maybe, noise: Maybe
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return _hear(query, key, value, bias, noise)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Maybe, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        query, key, value, _, noise = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)  # no zeros for the weights' gradient
        ctx.save_for_backward(query, key, value, output[1], noise)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Maybe, ...]:
        return _Heard.backward(ctx, *gradients)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Maybe) -> tuple[Any, tuple[int, int]]:
        """Put the members in front: matrix products, softmax and broadcasting take them as one more dimension."""
        moved = [x if x is None or dim is None else x.movedim(dim, 0) for x, dim in zip(inputs, in_dims, strict=True)]
        return _HeardTogether.apply(*moved), (0, 0)  # type: ignore[no-untyped-call]


def _hear(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bias: Maybe, noise: Maybe
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is heard, and the weights before dropout."""
    scores = query @ key.transpose(-1, -2)
    if bias is not None:
        scores.add_(bias)
    weights = torch.softmax(scores, -1, dtype=scores.dtype)  # autocast on CUDA would make it fp32, backward not
    dropped = weights if noise is None else weights * noise
    return dropped @ value, weights


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


def heard_together(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None,
    noise: torch.Tensor | None,
) -> torch.Tensor:
    """Return what `heard` does, inside `torch.func.vmap`; query, key and value are all mapped over, or none is."""
    answer: torch.Tensor = _HeardTogether.apply(query, key, value, bias, noise)[0]  # type: ignore[no-untyped-call]
    return answer
