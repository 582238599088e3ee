"""The memory of a fit at its fullest, in bytes."""

from dataclasses import dataclass

from finetune_alf.cost.shape import Engine, FitLengths, Shape
from finetune_alf.cost.work import n_rows_held
from finetune_alf.rates import EMBEDDINGS, addresses, layer
from finetune_alf.recipe import AdamW, Recipe

FLOAT = 4
"""Bytes of a weight, a gradient, a moment: fp32, whatever the arithmetic."""


@dataclass(frozen=True)
class Memory:
    """What a fit holds, in bytes. Gradients and what a batch leaves for them take turns: the larger one counts."""

    weights: int
    first_weights: int
    optimizer: int
    gradients: int
    batch: int
    prefixes: int
    kept: int

    @property
    def total(self) -> int:
        """All of it, at the fullest moment."""
        held = self.weights + self.first_weights + self.optimizer + self.prefixes + self.kept
        return held + max(self.gradients, self.batch)


def fit_memory(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> Memory:
    """Return the memory of a fit whose heaviest batch has the longest texts, with everything open that has a rate."""
    opened = shape.opened(recipe.rates.at(shape.n_layers))
    n_rows = n_rows_held(shape, lengths, recipe, engine)
    n_open = sum(shape.n_open(address, n_rows) for address in shape.learning(opened))
    cut = n_rows * shape.word_width if EMBEDDINGS in opened and n_rows < shape.n_words else 0
    everything = sum(shape.parameters.values())
    return Memory(
        weights=FLOAT * (everything + cut),
        first_weights=FLOAT * everything,
        optimizer=FLOAT * n_open * _moments(recipe),
        gradients=FLOAT * n_open,
        batch=max(_training_batch(shape, lengths, recipe, engine), _evaluation_batch(shape, lengths, recipe, engine)),
        prefixes=_prefixes(shape, lengths, recipe, engine),
        kept=FLOAT * n_open if recipe.keep == "best" else 0,
    )


def _moments(recipe: Recipe) -> int:
    """Return how many numbers an optimizer keeps for each weight."""
    if isinstance(recipe.optimizer, AdamW):
        return 2
    return 1 if recipe.optimizer.momentum > 0 else 0


def _training_batch(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return what a forward pass leaves for the backward pass, from the lowest open layer up.

    Bytes a token, counted in PyTorch 2.13 by its hooks for saved tensors, with dropout, in numbers of e bytes: a layer
    keeps (16 + 6e)h + 2ei and 3e for each head and token attended to; embeddings, and a top layer that answers for one
    token, (16 + 2e)h together. In bf16 a copy of each matrix comes on top.
    """
    e, h = engine.bytes_a_number, shape.hidden
    texts = _longest(lengths.train, recipe.micro_batch or recipe.batch, engine)
    tokens, squares = sum(texts), sum(length**2 for length in texts)
    n_layers = shape.passes * _n_reached(shape, recipe)
    n_full = max(n_layers - 1, 0) if engine.packed else n_layers
    layer_bytes = ((16 + 6 * e) * h + 2 * e * shape.intermediate) * tokens + 3 * e * shape.n_heads * squares
    copies = e * sum(shape.parameters[layer(index)] for index in range(shape.n_layers)) if e < FLOAT else 0
    return n_full * layer_bytes + ((16 + 2 * e) * h * tokens if n_layers else 0) + copies


def _evaluation_batch(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return what one layer holds while a batch of an evaluation passes it."""
    e, batch = engine.bytes_a_number, recipe.micro_batch or engine.evaluation_batch
    tokens = max(sum(_longest(split, batch, engine)) for split in (lengths.validation, lengths.scored or ()))
    return ((8 + 4 * e) * shape.hidden + 2 * e * shape.intermediate) * tokens


def _prefixes(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return what is kept of splits that pass through frozen layers."""
    n_reached = _n_reached(shape, recipe)
    if not engine.packed or EMBEDDINGS in shape.opened(recipe.rates.at(shape.n_layers)):
        return 0
    splits = [lengths.validation, lengths.scored or ()]
    splits += [lengths.train] if recipe.frozen_dropout == "off" else []
    sizes = [FLOAT * shape.hidden * (sum(split) if n_reached else len(split)) for split in splits]
    return sum(size for size in sizes if size <= engine.prefix_bytes)


def _n_reached(shape: Shape, recipe: Recipe) -> int:
    """Return how many layers a gradient passes through."""
    opened, order = shape.opened(recipe.rates.at(shape.n_layers)), addresses(shape.n_layers)
    lowest = min((order.index(address) for address in opened), default=shape.n_layers + 1)
    return shape.n_layers + 1 - max(lowest, 1)


def _longest(lengths: tuple[int, ...], batch: int, engine: Engine) -> list[int]:
    """Return the lengths of the longest texts of a split, padded if that is how the engine runs."""
    texts = sorted(lengths)[-batch:]
    return texts if engine.packed else [texts[-1]] * len(texts) if texts else []
