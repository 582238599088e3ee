"""The order of the training texts in a pass over them: shuffled, or as many of each class in a row."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch


class Order(Protocol):
    """Draws the rows of a pass; its length is their number, that of the training texts."""

    def __len__(self) -> int: ...

    def draw(self, generator: torch.Generator) -> list[int]:
        """Return the rows of one pass, in order."""
        ...


@dataclass(frozen=True)
class ShuffledOrder:
    """Every text once."""

    n_texts: int

    def __len__(self) -> int:
        return self.n_texts

    def draw(self, generator: torch.Generator) -> list[int]:
        """Return the rows of one pass, in order."""
        return _shuffled(self.n_texts, generator)


@dataclass(frozen=True)
class BalancedOrder:
    """As many texts of each class: of k classes, each k texts in a row are one of every class, in random order.

    The texts of a class come once before any of them comes again, in a pass that is as long as a shuffled one: of a
    frequent class some come in another pass, of a rare one all come several times. `labels` has the class of each row.
    """

    labels: Sequence[int]

    def __len__(self) -> int:
        return len(self.labels)

    def draw(self, generator: torch.Generator) -> list[int]:
        """Return the rows of one pass, in order."""
        rows: dict[int, list[int]] = {label: [] for label in sorted(set(self.labels))}
        for row, label in enumerate(self.labels):
            rows[label].append(row)
        streams = [_endless(own, generator) for own in rows.values()]
        drawn = (next(streams[index]) for index in _endless(range(len(streams)), generator))
        return list(itertools.islice(drawn, len(self.labels)))


def _endless(items: Sequence[int], generator: torch.Generator) -> Iterator[int]:
    """Yield all items in random order, again and again."""
    while True:
        yield from (items[index] for index in _shuffled(len(items), generator))


def _shuffled(n: int, generator: torch.Generator) -> list[int]:
    order: list[int] = torch.randperm(n, generator=generator).tolist()
    return order
