"""The work of a fit: what a forward pass, a backward pass and an optimizer have to do, epoch by epoch."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from finetune_alf.cost import seen as see
from finetune_alf.cost.flops import head_backward, head_forward, layer_flops, projection_flops
from finetune_alf.cost.shape import Engine, FitLengths, Seen, Shape
from finetune_alf.rates import HEAD, Address, addresses, layer
from finetune_alf.recipe import Recipe


@dataclass(frozen=True)
class Work:
    """What takes time in a fit: operations, and what costs something each time however small it is.

    `train_calls` and `evaluation_calls` count layers run through, forwards or backwards, once for each batch: the
    price of starting an operation. `updates` counts weights that an optimizer changes, once for each step.
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


NOTHING = Work()


def fit_work(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> Work:
    """Return the work of a whole fit, early stopping left aside: all epochs, and what is scored at the end."""
    return _Fit(shape, lengths, recipe, engine).work()


def evaluation_work(shape: Shape, lengths: Sequence[int], engine: Engine, batch: int, level: int | None = None) -> Work:
    """Return the work of evaluating texts, sorted by length, from the tokens or from a prefix of this level."""
    seen = seen_by_length(lengths, engine, batch)
    flops, n_layers = _forward(shape, seen, engine.packed, level or 0, embeds=level is None)
    return Work(evaluation_flops=flops, evaluation_calls=seen.n_batches * (n_layers + 1))


def seen_by_length(lengths: Sequence[int], engine: Engine, batch: int) -> Seen:
    """Return what is seen when texts go sorted by length, packed or padded."""
    return see.packed(lengths, -(-len(lengths) // batch)) if engine.packed else see.padded_by_length(lengths, batch)


def n_rows_held(shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> int:
    """Return how many rows of the word table the optimizer holds: those that occur, where it may be cut."""
    cut = engine.packed and recipe.optimizer.weight_decay == 0
    return min(lengths.n_words, shape.n_words) if cut else shape.n_words


class _Fit:
    """One fit's texts as its layers see them, and which prefixes are there already."""

    def __init__(self, shape: Shape, lengths: FitLengths, recipe: Recipe, engine: Engine) -> None:
        self.shape, self.lengths, self.recipe, self.engine = shape, lengths, recipe, engine
        self.ever_open = shape.opened(recipe.rates.at(shape.n_layers))
        sizes = see.batch_sizes(len(lengths.train), recipe.batch, recipe.micro_batch)
        self.n_steps = -(-len(lengths.train) // recipe.batch)
        self.train = (
            see.packed(lengths.train, len(sizes)) if engine.packed else see.padded_at_random(lengths.train, sizes)
        )
        self.batch = recipe.micro_batch or engine.evaluation_batch
        self.n_rows = n_rows_held(shape, lengths, recipe, engine)
        self.kept: tuple[int | None, set[str]] = (None, set())  # the level, and the splits that have a prefix there

    def work(self) -> Work:
        total = last = NOTHING
        before: tuple[frozenset[Address], frozenset[Address] | None] | None = None
        for epoch in range(self.recipe.epochs):
            opened = self._opened(epoch)
            if (opened, opened) != before:  # from its second epoch on an opening's work stays the same
                last = self._training(opened) + self._evaluation("validation", self.lengths.validation, opened)
            before = (opened, before[0] if before else None)
            total += last
        if self.lengths.scored is not None:
            total += self._evaluation("scored", self.lengths.scored, opened)
        return total

    def _opened(self, epoch: int) -> frozenset[Address]:
        unfreezing, n_layers = self.recipe.unfreezing, self.shape.n_layers
        return frozenset(address for address in self.ever_open if unfreezing.is_unfrozen(address, epoch, n_layers))

    def _training(self, opened: frozenset[Address]) -> Work:
        """Return an epoch's steps, and the prefix that they start from if that is yet to be made."""
        prefix, level = NOTHING, None
        if self.recipe.frozen_dropout == "off":
            prefix, level = self._prefix("train", self.lengths.train, opened)
        lowest = _lowest(self.shape, opened)
        flops, n_backward = self._backward(opened, lowest)
        forward, n_forward = _forward(self.shape, self.train, self.engine.packed, level or 0, embeds=level is None)
        return prefix + Work(
            train_flops=flops + forward,
            train_batches=self.train.n_batches,
            train_calls=self.train.n_batches * (n_forward + n_backward),
            updates=self.n_steps * sum(self.shape.n_open(a, self.n_rows) for a in self.shape.learning(opened)),
        )

    def _backward(self, opened: frozenset[Address], lowest: int) -> tuple[float, int]:
        """Return the operations of going back to the lowest open address, and through how many layers that leads."""
        shape, train = self.shape, self.train
        stack = [index % shape.n_layers for index in range(shape.n_layers * shape.passes)]
        flops = head_backward(shape, train, is_open=HEAD in opened, is_lowest=lowest > shape.n_layers)
        if lowest > shape.n_layers:
            return flops, 0
        reached = range(max(lowest - 1, 0), len(stack))
        for place in reached:
            some = layer_flops(shape, train, one_token=self.engine.packed and place == len(stack) - 1)
            flops += some.backward(is_open=layer(stack[place]) in opened, is_lowest=place == lowest - 1)
        return flops + (2 * projection_flops(shape, train) if lowest == 0 else 0), len(reached)

    def _evaluation(self, name: str, lengths: tuple[int, ...], opened: frozenset[Address]) -> Work:
        """Return one evaluation of a split, and its prefix if that is yet to be made."""
        prefix, level = self._prefix(name, lengths, opened)
        return prefix + evaluation_work(self.shape, lengths, self.engine, self.batch, level)

    def _prefix(self, name: str, lengths: tuple[int, ...], opened: frozenset[Address]) -> tuple[Work, int | None]:
        """Return the work of making a split's prefix, none where it is kept, and its level; None where it has none."""
        lowest = _lowest(self.shape, opened)
        level = lowest - 1 if lowest else None
        if level is None or not self.engine.packed or not self._fits(lengths, level):
            return NOTHING, None
        if self.kept[0] != level:
            self.kept = (level, set())
        if name in self.kept[1]:
            return NOTHING, level
        self.kept[1].add(name)
        batch = self.engine.evaluation_batch
        whole = evaluation_work(self.shape, lengths, self.engine, batch)
        return whole - evaluation_work(self.shape, lengths, self.engine, batch, level), level

    def _fits(self, lengths: tuple[int, ...], level: int) -> bool:
        n_rows = len(lengths) if level == self.shape.n_layers else sum(lengths)
        return 4 * n_rows * self.shape.hidden <= self.engine.prefix_bytes


def _lowest(shape: Shape, opened: frozenset[Address]) -> int:
    """Return the place of the lowest open address: 0 for the embeddings, n_layers + 1 for the head."""
    order = addresses(shape.n_layers)
    return min((order.index(address) for address in opened), default=order.index(HEAD))


def _forward(shape: Shape, seen: Seen, packed: bool, level: int, *, embeds: bool) -> tuple[float, int]:
    """Return the operations of a forward pass from below layer `level` on, and through how many layers it leads."""
    depth = shape.n_layers * shape.passes
    run = range(level, depth)
    flops = sum(layer_flops(shape, seen, one_token=packed and place == depth - 1).forward for place in run)
    flops += head_forward(shape, seen)
    return flops + (projection_flops(shape, seen) if embeds else 0), len(run)
