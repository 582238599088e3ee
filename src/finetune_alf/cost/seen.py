"""How many tokens reach a layer: as many as the texts have, or as many as padding makes of them."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from finetune_alf.cost.shape import Seen


def packed(lengths: Sequence[int], n_batches: int) -> Seen:
    """Return what is seen without padding."""
    return Seen(len(lengths), sum(lengths), sum(length**2 for length in lengths), n_batches)


def padded_by_length(lengths: Sequence[int], batch: int) -> Seen:
    """Return what is seen when texts go sorted, each batch padded to its longest."""
    ordered = sorted(lengths)
    batches = [ordered[start : start + batch] for start in range(0, len(ordered), batch)]
    tokens = sum(len(some) * some[-1] for some in batches)
    squares = sum(len(some) * some[-1] ** 2 for some in batches)
    return Seen(len(lengths), tokens, squares, len(batches))


def padded_at_random(lengths: Sequence[int], sizes: Sequence[int]) -> Seen:
    """Return what is to be expected when texts are shuffled into batches of these sizes, each padded to its longest."""
    tokens = squares = 0.0
    for size, times in Counter(sizes).items():
        for length, probability in _longest(lengths, size):
            tokens += times * size * length * probability
            squares += times * size * length**2 * probability
    return Seen(len(lengths), tokens, squares, len(sizes))


def _longest(lengths: Sequence[int], size: int) -> Iterator[tuple[int, float]]:
    """Yield how probable each text is to be the longest of `size` drawn ones: C(j, size - 1) / C(n, size)."""
    for index, length in enumerate(sorted(lengths)):
        if index >= size - 1:
            yield length, math.exp(_log_choose(index, size - 1) - _log_choose(len(lengths), size))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def batch_sizes(n_texts: int, batch: int, micro_batch: int | None) -> list[int]:
    """Return how many texts go through the encoder at once over an epoch."""
    steps = [min(batch, n_texts - start) for start in range(0, n_texts, batch)]
    size = micro_batch or batch
    return [min(size, step - start) for step in steps for start in range(0, step, size)]
