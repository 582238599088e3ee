"""Floating-point operations of one layer, the embeddings and the head: a multiplication and an addition count as two.

Only matrix products are counted, as everywhere in the field: norms, activations, dropout and the optimizer are in the
measured seconds of each operation. Per token and layer of a BERT (intermediate 4h, texts of length s) a forward pass
takes 24h^2 + 4sh, the gradient of its input 24h^2 + 8sh, that of its weights 24h^2.
"""

from dataclasses import dataclass

from finetune_alf.cost.shape import Seen, Shape


@dataclass(frozen=True)
class LayerFlops:
    """One layer's forward pass, in parts: query, key and value; the two products of attention; all that follows.

    `adapter` is what is built in, beside which the layer's own weights stand still.
    """

    inputs: float
    attention: float
    rest: float
    adapter: float = 0.0

    @property
    def forward(self) -> float:
        """The forward pass."""
        return self.inputs + self.attention + self.rest + self.adapter

    def backward(self, *, is_open: bool, is_lowest: bool) -> float:
        """Return the backward pass: gradients of the input, and of the weights if they are open.

        The lowest open layer, over frozen embeddings, passes nothing on: query, key and value need no input gradient.
        """
        into_input = 2 * self.attention + self.rest + self.adapter + (0 if is_lowest else self.inputs)
        return into_input + ((self.adapter or self.inputs + self.rest) if is_open else 0)


def layer_flops(shape: Shape, seen: Seen, *, one_token: bool) -> LayerFlops:
    """Return a layer's operations; with `one_token` its answer is wanted for each text's first token alone."""
    h, square = shape.hidden, shape.hidden**2
    after = square + 2 * h * shape.intermediate  # attention's output and the feed-forward block
    if one_token:
        inputs = 2 * (2 * square * seen.tokens + square * seen.n_texts)
        return LayerFlops(inputs, 4 * h * seen.tokens, 2 * after * seen.n_texts, 2 * shape.adapter * seen.n_texts)
    built_in = 2 * shape.adapter * seen.tokens
    return LayerFlops(2 * 3 * square * seen.tokens, 4 * h * seen.squares, 2 * after * seen.tokens, built_in)


def projection_flops(shape: Shape, seen: Seen) -> float:
    """Return the forward pass of what widens the embeddings to the layers' width; 0 where nothing does."""
    return 2 * shape.projection * seen.tokens


def head_forward(shape: Shape, seen: Seen) -> float:
    """Return the head's forward pass."""
    return 2 * sum(shape.head) * seen.n_texts


def head_backward(shape: Shape, seen: Seen, *, is_open: bool, is_lowest: bool) -> float:
    """Return the head's backward pass; its first matrix passes nothing on where all below is frozen."""
    into_input = sum(shape.head[1:]) if is_lowest else sum(shape.head)
    return 2 * (into_input + (sum(shape.head) if is_open else 0)) * seen.n_texts
