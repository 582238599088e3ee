"""Floating-point operations of one layer, the embeddings and the head: a multiplication and an addition count as two.

Only matrix products are counted, as is usual: the time of norms, activations, dropout and the optimizer is contained in
the measured seconds of each operation. Per token and layer of a BERT (intermediate size 4h, texts of length s) a
forward pass takes 24h^2 + 4sh, the gradient of its input 24h^2 + 8sh, the gradient of its weights 24h^2.
"""

from dataclasses import dataclass

from finetune_alf.cost.shape import EncoderShape, TokenCounts


@dataclass(frozen=True)
class LayerFlops:
    """One layer's forward pass: query, key and value; the two products of attention; everything after attention.

    `adapter` is the layer's adapter; with one, the layer's own weights are frozen.
    """

    query_key_value: float
    attention: float
    after_attention: float
    adapter: float = 0.0

    @property
    def forward(self) -> float:
        """The forward pass."""
        return self.query_key_value + self.attention + self.after_attention + self.adapter

    def backward(self, *, is_trainable: bool, is_lowest: bool) -> float:
        """Return the backward pass: gradients of the input, and of the weights if they are trainable.

        In the lowest trainable layer, over frozen embeddings, query, key and value need no input gradient.
        """
        query_key_value = 0 if is_lowest else self.query_key_value
        input_gradients = 2 * self.attention + self.after_attention + self.adapter + query_key_value
        weight_gradients = self.adapter or self.query_key_value + self.after_attention
        return input_gradients + (weight_gradients if is_trainable else 0)


def layer_flops(shape: EncoderShape, counts: TokenCounts, *, first_token_only: bool) -> LayerFlops:
    """Return a layer's operations; with `first_token_only` its output is computed for each text's first token only."""
    h, square = shape.hidden_size, shape.hidden_size**2
    after = square + 2 * h * shape.intermediate_size  # attention's output projection and the feed-forward block
    if first_token_only:
        query_key_value = 2 * (2 * square * counts.n_tokens + square * counts.n_texts)
        attention = 4 * h * counts.n_tokens
        return LayerFlops(query_key_value, attention, 2 * after * counts.n_texts, 2 * shape.adapter * counts.n_texts)
    query_key_value = 2 * 3 * square * counts.n_tokens
    attention = 4 * h * counts.squared_lengths
    return LayerFlops(query_key_value, attention, 2 * after * counts.n_tokens, 2 * shape.adapter * counts.n_tokens)


def projection_flops(shape: EncoderShape, counts: TokenCounts) -> float:
    """Return the forward pass of the projection from the embedding size to the hidden size; 0 without one."""
    return 2 * shape.projection * counts.n_tokens


def head_forward(shape: EncoderShape, counts: TokenCounts) -> float:
    """Return the head's forward pass."""
    return 2 * sum(shape.head) * counts.n_texts


def head_backward(shape: EncoderShape, counts: TokenCounts, *, is_trainable: bool, is_lowest: bool) -> float:
    """Return the head's backward pass; its first matrix needs no input gradient where everything below is frozen."""
    input_gradients = sum(shape.head[1:]) if is_lowest else sum(shape.head)
    return 2 * (input_gradients + (sum(shape.head) if is_trainable else 0)) * counts.n_texts
