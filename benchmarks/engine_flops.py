"""The floating-point operations that a fit needs mathematically, whatever an implementation computes.

Per token and layer, for a hidden size h with an inner size of 4h and texts of length s (mean of s^2 over mean of s):
forward 24h^2 + 4sh, input gradient 24h^2 + 8sh, weight gradient 24h^2. The top layer is needed for one token a text:
keys and values of all tokens, the rest for that token only. Layers below the lowest trainable address need a forward
pass, once an epoch in training with dropout, else once a fit; the lowest trainable layer needs no input gradient for
queries, keys and values. Dropout, softmax, norms, activations and the optimizer are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine_records import Shape

from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, layer


@dataclass(frozen=True)
class Part:
    """One layer, or the head, over a set of texts."""

    forward: float
    input_gradient: float
    weight_gradient: float
    first_input_gradient: float
    """The part of the input gradient that the lowest trainable layer does not need."""


@dataclass(frozen=True)
class FitFlops:
    """FLOPs of a fit: once (frozen features), in all training steps, in all evaluations."""

    once: float
    training: float
    evaluation: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.once + self.training + self.evaluation


def fit_flops(
    shape: Shape,
    rates: LayerRates,
    train_lengths: Sequence[int],
    validation_lengths: Sequence[int],
    epochs: int,
    *,
    frozen_dropout: str = "on",
) -> FitFlops:
    """Return the FLOPs of a fit with these rates, evaluated after each epoch."""
    train, validation = parts(shape, train_lengths), parts(shape, validation_lengths)
    lowest = _lowest_trainable(rates)
    below = sum(part.forward for part in train[:lowest])
    below_validation = sum(part.forward for part in validation[:lowest])
    training = sum(part.forward for part in train[lowest:]) + _backward(train, rates, lowest)
    cached = frozen_dropout == "off"
    return FitFlops(
        once=below_validation + (below if cached else 0),
        training=epochs * (training + (0 if cached else below)),
        evaluation=epochs * sum(part.forward for part in validation[lowest:]),
    )


def parts(shape: Shape, lengths: Sequence[int]) -> list[Part]:
    """Return the layers from the input up, then the head."""
    whole = _whole_layer(shape, lengths)
    return [*[whole] * (shape.n_layers - 1), _top_layer(shape, lengths), _head(shape, len(lengths))]


def _lowest_trainable(rates: LayerRates) -> int:
    """Return the index of the lowest trainable part; 0 also where the embeddings are trainable."""
    in_order = [*(layer(index) for index in range(rates.n_layers)), HEAD]
    return 0 if rates[EMBEDDINGS] > 0 else next(i for i, address in enumerate(in_order) if rates[address] > 0)


def _backward(train: list[Part], rates: LayerRates, lowest: int) -> float:
    total = 0.0
    for index, (part, rate) in enumerate(zip(train, (*rates.layers, rates[HEAD]), strict=True)):
        if index > lowest or rates[EMBEDDINGS] > 0:
            total += part.input_gradient
        elif index == lowest:
            total += part.input_gradient - part.first_input_gradient
        if rate > 0:
            total += part.weight_gradient
    return total


def _whole_layer(shape: Shape, lengths: Sequence[int]) -> Part:
    h, tokens = shape.hidden, sum(lengths)
    linear = tokens * (8 * h**2 + 4 * h * shape.inner)  # queries, keys, values, output; two of the feed-forward
    attention = 4 * h * sum(length**2 for length in lengths)
    return Part(linear + attention, linear + 2 * attention, linear, 6 * h**2 * tokens)


def _top_layer(shape: Shape, lengths: Sequence[int]) -> Part:
    h, tokens, n = shape.hidden, sum(lengths), len(lengths)
    linear = 4 * h**2 * tokens + n * (4 * h**2 + 4 * h * shape.inner)
    attention = 4 * h * tokens
    return Part(linear + attention, linear + 2 * attention, linear, 4 * h**2 * tokens + 2 * h**2 * n)


def _head(shape: Shape, n_texts: int) -> Part:
    """Count a square layer and the classifier; the former needs no input gradient where everything below is frozen."""
    square, classes = 2 * shape.hidden**2 * n_texts, 2 * shape.hidden * shape.n_classes * n_texts
    return Part(square + classes, square + classes, square + classes, square)
