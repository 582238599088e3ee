"""The work of further pre-training by masked-language modelling (MLM), with all weights trainable."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.cost.flops import layer_flops, projection_flops
from finetune_alf.cost.shape import EncoderShape, Engine
from finetune_alf.cost.token_counts import sorted_by_length
from finetune_alf.cost.work import Work


@dataclass(frozen=True)
class MaskedTraining:
    """Training of `n_steps` steps of `batch` pieces, after `n_warm_up` steps of the head only.

    `mask_frac` is the fraction of tokens that are masked and predicted.
    """

    n_steps: int
    n_warm_up: int
    batch: int
    mask_frac: float


def mlm_work(
    shape: EncoderShape, train: Sequence[int], held_out: Sequence[int], engine: Engine, training: MaskedTraining
) -> Work:
    """Return the work of all steps, and of measuring the held-out loss before, between and after them.

    `train` and `held_out` are the pieces' lengths in tokens. Batches have similar lengths. The last layer's output is
    computed for every token; the decoder predicts the masked tokens only.
    """
    counts, held_out_counts = (
        sorted_by_length(lengths, engine, batch)
        for lengths, batch in ((train, training.batch), (held_out, engine.evaluation_batch))
    )
    n_layers = shape.n_layers * shape.n_passes
    decoder_flops = 2 * training.mask_frac * _decoder(shape)  # a token of the text
    forward, held_out_forward = (
        n_layers * layer_flops(shape, some, first_token_only=False).forward
        + projection_flops(shape, some)
        + decoder_flops * n_tokens
        for some, n_tokens in ((counts, sum(train)), (held_out_counts, sum(held_out)))
    )
    backward = n_layers * layer_flops(shape, counts, first_token_only=False).backward(
        is_trainable=True, is_lowest=False
    )
    backward += 2 * projection_flops(shape, counts)
    head_backward = 2 * decoder_flops * sum(train)
    n_steps, n_warm_up = training.n_steps, training.n_warm_up
    n_evaluations = 3 if n_warm_up else 2
    flops = n_steps * (forward + backward + head_backward) + n_warm_up * (forward + head_backward)
    return Work(
        train_flops=flops / counts.n_batches,
        train_batches=n_steps + n_warm_up,
        train_calls=(2 * n_steps + n_warm_up) * n_layers,
        updates=n_steps * sum(shape.parameters.values()) + n_warm_up * _decoder(shape),
        evaluation_flops=n_evaluations * held_out_forward,
        evaluation_calls=n_evaluations * held_out_counts.n_batches * n_layers,
    )


def mlm_logits_bytes(shape: EncoderShape, n_tokens: int, mask_frac: float) -> int:
    """Return the bytes of the masked tokens' logits and their gradients, fp32, in a batch of `n_tokens`."""
    return round(3 * 4 * mask_frac * n_tokens * shape.vocab_size)


def _decoder(shape: EncoderShape) -> int:
    """Return the weights that predict a token: a projection to the embedding size, and the word embeddings."""
    return shape.embedding_size * (shape.hidden_size + shape.vocab_size)
