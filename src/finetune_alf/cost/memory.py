"""The peak memory of a fit, in bytes."""

from dataclasses import dataclass

from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.cost.work import n_embedding_rows
from finetune_alf.rates import EMBEDDINGS, addresses, layer
from finetune_alf.recipe import AdamW, Recipe

FP32_BYTES = 4
"""Bytes of a weight, a gradient and an optimizer moment: fp32, whatever the precision."""


@dataclass(frozen=True)
class Memory:
    """The parts of a fit's memory, in bytes. Gradients and activations of a batch alternate: the larger one counts."""

    weights: int
    initial_weights: int
    optimizer: int
    gradients: int
    batch: int
    frozen_features: int
    kept_weights: int

    @property
    def total(self) -> int:
        """The peak."""
        constant = self.weights + self.initial_weights + self.optimizer + self.frozen_features + self.kept_weights
        return constant + max(self.gradients, self.batch)


def fit_memory(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> Memory:
    """Return the peak memory of a fit, for a batch of the longest texts and with every rate above 0 unfrozen."""
    trainable = shape.trainable_parts(recipe.rates.at(shape.n_layers))
    n_rows = n_embedding_rows(shape, lengths, recipe, engine)
    n_trainable = sum(shape.n_trainable(address, n_rows) for address in shape.trainable_addresses(trainable))
    is_restricted = EMBEDDINGS in trainable and n_rows < shape.vocab_size
    n_parameters = sum(shape.parameters.values())
    return Memory(
        weights=FP32_BYTES * (n_parameters + (n_rows * shape.embedding_size if is_restricted else 0)),
        initial_weights=FP32_BYTES * n_parameters,
        optimizer=FP32_BYTES * n_trainable * _n_moments(recipe),
        gradients=FP32_BYTES * n_trainable,
        batch=max(_training_batch(shape, lengths, recipe, engine), _evaluation_batch(shape, lengths, recipe, engine)),
        frozen_features=_frozen_features(shape, lengths, recipe, engine),
        kept_weights=FP32_BYTES * n_trainable if recipe.keep == "best" else 0,
    )


def _n_moments(recipe: Recipe) -> int:
    """Return how many numbers an optimizer keeps for each weight."""
    if isinstance(recipe.optimizer, AdamW):
        return 2
    return 1 if recipe.optimizer.momentum > 0 else 0


def _training_batch(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return what a forward pass saves for the backward pass, from the lowest trainable layer up.

    Bytes a token, measured in PyTorch 2.13 with its hooks for saved tensors, with dropout, in numbers of e bytes: a
    layer saves (16 + 6e)h + 2ei, and 3e for each head and token attended to, unless attention keeps none;
    embeddings, and a top layer with outputs for the first token only, (16 + 2e)h together. In bf16 a copy of each
    matrix is added.
    """
    e, h = engine.bytes_per_number, shape.hidden_size
    texts = _longest(lengths.train, engine.micro_batch or recipe.batch, engine)
    n_tokens, squared_lengths = sum(texts), sum(length**2 for length in texts)
    n_layers = shape.n_passes * _n_backward_layers(shape, recipe)
    n_full = max(n_layers - 1, 0) if engine.packed and recipe.pooling == "first" else n_layers
    layer_bytes = ((16 + 6 * e) * h + 2 * e * shape.intermediate_size) * n_tokens
    layer_bytes += 3 * e * shape.n_heads * squared_lengths if engine.keeps_attention else 0
    copies = e * sum(shape.parameters[layer(index)] for index in range(shape.n_layers)) if e < FP32_BYTES else 0
    return n_full * layer_bytes + ((16 + 2 * e) * h * n_tokens if n_layers else 0) + copies


def _evaluation_batch(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return the activations of one layer for a batch of an evaluation."""
    e, batch = engine.bytes_per_number, engine.micro_batch or engine.evaluation_batch
    n_tokens = max(sum(_longest(split, batch, engine)) for split in (lengths.validation, lengths.scored or ()))
    return ((8 + 4 * e) * shape.hidden_size + 2 * e * shape.intermediate_size) * n_tokens


def _frozen_features(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return the frozen features that are cached."""
    n_backward = _n_backward_layers(shape, recipe)
    if not engine.packed or EMBEDDINGS in shape.trainable_parts(recipe.rates.at(shape.n_layers)):
        return 0
    splits = [lengths.validation, lengths.scored or ()]
    splits += [lengths.train] if recipe.frozen_dropout == "off" else []
    sizes = [FP32_BYTES * shape.hidden_size * (sum(split) if n_backward else len(split)) for split in splits]
    return sum(size for size in sizes if size <= engine.max_features_bytes)


def _n_backward_layers(shape: EncoderShape, recipe: Recipe) -> int:
    """Return how many layers the backward pass goes through."""
    trainable, order = shape.trainable_parts(recipe.rates.at(shape.n_layers)), addresses(shape.n_layers)
    lowest = min((order.index(address) for address in trainable), default=shape.n_layers + 1)
    return shape.n_layers + 1 - max(lowest, 1)


def _longest(lengths: tuple[int, ...], batch: int, engine: Engine) -> list[int]:
    """Return the lengths of the longest texts of a split, with padding unless the engine is packed."""
    texts = sorted(lengths)[-batch:]
    return texts if engine.packed else [texts[-1]] * len(texts) if texts else []
