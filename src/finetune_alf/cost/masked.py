"""The work of further pre-training: hide some tokens, tell them, learn with everything open."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.cost.flops import layer_flops, projection_flops
from finetune_alf.cost.shape import Engine, Shape
from finetune_alf.cost.work import Work, seen_by_length


@dataclass(frozen=True)
class Masking:
    """How long, in steps of `batch` pieces, of which the head alone learns in `n_warm_up`; what part is to be told."""

    n_steps: int
    n_warm_up: int
    batch: int
    mask_frac: float


def masked_work(
    shape: Shape, learned: Sequence[int], held_out: Sequence[int], engine: Engine, masking: Masking
) -> Work:
    """Return the work of all steps, and of measuring the loss on the held-out pieces before, between and after.

    `learned` and `held_out` are the pieces' lengths in tokens. Batches are of similar lengths, and every token has its
    answer from the last layer, of which those that were hidden go on to the decoder.
    """
    seen, measured = (
        seen_by_length(lengths, engine, batch)
        for lengths, batch in ((learned, masking.batch), (held_out, engine.evaluation_batch))
    )
    depth = shape.n_layers * shape.passes
    telling = 2 * masking.mask_frac * _decoder(shape)
    forward, measuring = (
        depth * layer_flops(shape, some, one_token=False).forward + projection_flops(shape, some) + telling * n_tokens
        for some, n_tokens in ((seen, sum(learned)), (measured, sum(held_out)))
    )
    backward = depth * layer_flops(shape, seen, one_token=False).backward(is_open=True, is_lowest=False)
    backward += 2 * projection_flops(shape, seen)
    head_backward = 2 * telling * sum(learned)
    n_steps, n_warm_up = masking.n_steps, masking.n_warm_up
    n_measured = 3 if n_warm_up else 2
    flops = n_steps * (forward + backward + head_backward) + n_warm_up * (forward + head_backward)
    return Work(
        train_flops=flops / seen.n_batches,
        train_batches=n_steps + n_warm_up,
        train_calls=(2 * n_steps + n_warm_up) * depth,
        updates=n_steps * sum(shape.parameters.values()) + n_warm_up * _decoder(shape),
        evaluation_flops=n_measured * measuring,
        evaluation_calls=n_measured * measured.n_batches * depth,
    )


def masked_batch_bytes(shape: Shape, tokens: int, mask_frac: float) -> int:
    """Return what telling the hidden ones of so many tokens takes: their answers, and the gradients of these, fp32."""
    return round(3 * 4 * mask_frac * tokens * shape.n_words)


def _decoder(shape: Shape) -> int:
    """Return the weights of what a hidden token passes: a matrix to the words' width, and the table of words."""
    return shape.word_width * (shape.hidden + shape.n_words)
