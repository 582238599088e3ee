"""The work of a fit: its forward passes, backward passes and optimizer updates, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from finetune_alf.cost import token_counts
from finetune_alf.cost.flops import head_backward, head_forward, layer_flops, projection_flops
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths, TokenCounts
from finetune_alf.rates import HEAD, Address, addresses, layer
from finetune_alf.recipe import Recipe


@dataclass(frozen=True)
class Work:
    """What takes time in a fit: floating-point operations, and units with a fixed overhead.

    `train_calls` and `evaluation_calls` count layers run, forward or backward, once for each batch: the overhead of
    starting operations. `updates` counts weights updated by the optimizer, once for each step.
    """

    train_flops: float = 0.0
    train_batches: float = 0.0
    train_calls: float = 0.0
    updates: float = 0.0
    evaluation_flops: float = 0.0
    evaluation_calls: float = 0.0

    @property
    def flops(self) -> float:
        """All floating-point operations."""
        return self.train_flops + self.evaluation_flops

    def __add__(self, other: "Work") -> "Work":
        return Work(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Work") -> "Work":
        return Work(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


NO_WORK = Work()


def fit_work(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> Work:
    """Return the work of a whole fit without early stopping: all epochs, and the final score."""
    return _FitWork(shape, lengths, recipe, engine).total()


def evaluation_work(
    shape: EncoderShape, lengths: Sequence[int], engine: Engine, batch: int, level: int | None = None
) -> Work:
    """Return the work of evaluating texts, sorted by length, from the tokens or from frozen features of this level."""
    counts = token_counts.sorted_by_length(lengths, engine, batch)
    flops, n_layers = _forward(shape, counts, engine.first_token_only, level)
    return Work(evaluation_flops=flops, evaluation_calls=counts.n_batches * (n_layers + 1))


def n_embedding_rows(shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return the word embeddings that the optimizer updates: the words that occur, if the vocabulary is restricted."""
    is_restricted = engine.packed and recipe.optimizer.weight_decay == 0
    return min(lengths.n_words, shape.vocab_size) if is_restricted else shape.vocab_size


class _FitWork:
    """One fit's token counts, and the frozen features that are cached so far."""

    def __init__(self, shape: EncoderShape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> None:
        self.shape, self.lengths, self.recipe = shape, lengths, recipe
        self.engine = replace(engine, pooling=recipe.pooling)
        self.parts_with_rate = shape.trainable_parts(recipe.rates.at(shape.n_layers))
        sizes = token_counts.batch_sizes(len(lengths.train), recipe.batch, engine.micro_batch)
        n_batches = -(-len(lengths.train) // recipe.batch)
        self.n_steps = recipe.steps_per_epoch or n_batches
        self.n_passes = self.n_steps / n_batches  # over the training texts, in an epoch
        self.train = (
            token_counts.packed(lengths.train, len(sizes))
            if engine.packed
            else token_counts.padded_at_random(lengths.train, sizes)
        )
        self.batch = engine.micro_batch or engine.evaluation_batch
        self.n_rows = n_embedding_rows(shape, lengths, recipe, engine)
        self.cached_level: int | None = None
        self.cached_splits: set[str] = set()

    def total(self) -> Work:
        total = epoch_work = NO_WORK
        before: tuple[frozenset[Address], frozenset[Address] | None] | None = None
        for epoch in range(self.recipe.epochs):
            trainable = self._trainable(epoch)
            if (trainable, trainable) != before:  # the work stays the same from the second equal epoch on
                epoch_work = self._training(trainable)
                epoch_work += self._evaluation("validation", self.lengths.validation, trainable)
            before = (trainable, before[0] if before else None)
            total += epoch_work
        if self.lengths.scored is not None:
            total += self._evaluation("scored", self.lengths.scored, trainable)
        return total

    def _trainable(self, epoch: int) -> frozenset[Address]:
        unfreezing, n_layers = self.recipe.unfreezing, self.shape.n_layers
        return frozenset(a for a in self.parts_with_rate if unfreezing.is_unfrozen(a, epoch, n_layers))

    def _training(self, trainable: frozenset[Address]) -> Work:
        """Return an epoch's steps, and the frozen features that they start from unless those are cached."""
        features, level = NO_WORK, None
        if self.recipe.frozen_dropout == "off":
            features, level = self._frozen_features("train", self.lengths.train, trainable)
        backward, n_backward = self._backward(trainable, _lowest(self.shape, trainable))
        forward, n_forward = _forward(self.shape, self.train, self.engine.first_token_only, level)
        updated = self.shape.trainable_addresses(trainable)
        return features + Work(
            train_flops=self.n_passes * (backward + forward),
            train_batches=self.n_passes * self.train.n_batches,
            train_calls=self.n_passes * self.train.n_batches * (n_forward + n_backward),
            updates=self.n_steps * sum(self.shape.n_trainable(address, self.n_rows) for address in updated),
        )

    def _backward(self, trainable: frozenset[Address], lowest: int) -> tuple[float, int]:
        """Return the operations of the backward pass down to the lowest trainable address, and its layers."""
        shape, train = self.shape, self.train
        layers = [index % shape.n_layers for index in range(shape.n_layers * shape.n_passes)]
        only_head = lowest > shape.n_layers
        flops = head_backward(shape, train, is_trainable=HEAD in trainable, is_lowest=only_head)
        if only_head:
            return flops, 0
        indices = range(max(lowest - 1, 0), len(layers))
        for index in indices:
            first_token_only = self.engine.first_token_only and index == len(layers) - 1
            one = layer_flops(shape, train, first_token_only=first_token_only)
            flops += one.backward(is_trainable=layer(layers[index]) in trainable, is_lowest=index == lowest - 1)
        return flops + (2 * projection_flops(shape, train) if lowest == 0 else 0), len(indices)

    def _evaluation(self, name: str, lengths: tuple[int, ...], trainable: frozenset[Address]) -> Work:
        """Return one evaluation of a split, and its frozen features unless they are cached."""
        features, level = self._frozen_features(name, lengths, trainable)
        return features + evaluation_work(self.shape, lengths, self.engine, self.batch, level)

    def _frozen_features(
        self, name: str, lengths: tuple[int, ...], trainable: frozenset[Address]
    ) -> tuple[Work, int | None]:
        """Return the work of computing a split's frozen features, none if cached, and their level; None without."""
        lowest = _lowest(self.shape, trainable)
        level = lowest - 1 if lowest else None
        if level is None or not self.engine.packed or not self._is_cacheable(lengths, level):
            return NO_WORK, None
        if self.cached_level != level:
            self.cached_level, self.cached_splits = level, set()
        if name in self.cached_splits:
            return NO_WORK, level
        self.cached_splits.add(name)
        batch = self.engine.evaluation_batch
        from_tokens = evaluation_work(self.shape, lengths, self.engine, batch)
        return from_tokens - evaluation_work(self.shape, lengths, self.engine, batch, level), level

    def _is_cacheable(self, lengths: tuple[int, ...], level: int) -> bool:
        n_rows = len(lengths) if level == self.shape.n_layers else sum(lengths)
        return 4 * n_rows * self.shape.hidden_size <= self.engine.max_features_bytes


def _lowest(shape: EncoderShape, trainable: frozenset[Address]) -> int:
    """Return the height of the lowest trainable address: 0 for the embeddings, n_layers + 1 for the head."""
    order = addresses(shape.n_layers)
    return min((order.index(address) for address in trainable), default=order.index(HEAD))


def _forward(shape: EncoderShape, counts: TokenCounts, first_token_only: bool, level: int | None) -> tuple[float, int]:
    """Return the operations of a forward pass from layer `level` on, None from the tokens, and its number of layers.

    `first_token_only` is about the top layer.
    """
    depth = shape.n_layers * shape.n_passes
    indices = range(level or 0, depth)
    is_short = [first_token_only and index == depth - 1 for index in indices]
    flops = sum(layer_flops(shape, counts, first_token_only=short).forward for short in is_short)
    flops += head_forward(shape, counts)
    return flops + (projection_flops(shape, counts) if level is None else 0), len(indices)
