"""Token counts: the tokens of some texts, with or without padding."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from finetune_alf.cost.shape import Engine, TokenCounts


def packed(lengths: Sequence[int], n_batches: int) -> TokenCounts:
    """Count tokens without padding."""
    return TokenCounts(len(lengths), sum(lengths), sum(length**2 for length in lengths), n_batches)


def padded_by_length(lengths: Sequence[int], batch: int) -> TokenCounts:
    """Count tokens of texts sorted by length, each batch padded to its longest text."""
    ordered = sorted(lengths)
    batches = [ordered[start : start + batch] for start in range(0, len(ordered), batch)]
    n_tokens = sum(len(some) * some[-1] for some in batches)
    squared_lengths = sum(len(some) * some[-1] ** 2 for some in batches)
    return TokenCounts(len(lengths), n_tokens, squared_lengths, len(batches))


def padded_at_random(lengths: Sequence[int], sizes: Sequence[int]) -> TokenCounts:
    """Return the expected counts of texts shuffled into batches of these sizes, each padded to its longest text."""
    n_tokens = squared_lengths = 0.0
    for size, n_batches in Counter(sizes).items():
        for length, probability in _longest(lengths, size):
            n_tokens += n_batches * size * length * probability
            squared_lengths += n_batches * size * length**2 * probability
    return TokenCounts(len(lengths), n_tokens, squared_lengths, len(sizes))


def sorted_by_length(lengths: Sequence[int], engine: Engine, batch: int) -> TokenCounts:
    """Count tokens of texts sorted by length, packed or padded."""
    return packed(lengths, -(-len(lengths) // batch)) if engine.packed else padded_by_length(lengths, batch)


def batch_sizes(n_texts: int, batch: int, micro_batch: int | None) -> list[int]:
    """Return the number of texts in each forward pass of an epoch."""
    steps = [min(batch, n_texts - start) for start in range(0, n_texts, batch)]
    size = micro_batch or batch
    return [min(size, step - start) for step in steps for start in range(0, step, size)]


def _longest(lengths: Sequence[int], size: int) -> Iterator[tuple[int, float]]:
    """Yield the probability of each length to be the longest of `size` drawn texts: C(j, size - 1) / C(n, size)."""
    for index, length in enumerate(sorted(lengths)):
        if index >= size - 1:
            yield length, math.exp(_log_choose(index, size - 1) - _log_choose(len(lengths), size))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
