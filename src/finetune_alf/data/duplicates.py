"""Rows of a source that can be drawn: each text once, and no empty text."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.faults import Faults
from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows, Text
from finetune_alf.data.spec import OnEmpty
from finetune_alf.errors import RowError


@dataclass(frozen=True)
class UniqueRows:
    """The indices of the rows of each source split that are kept, and what was found in the others."""

    kept: Mapping[str, Sequence[int]]
    n_dropped: Mapping[str, int]
    """Rows whose text is in an earlier row."""
    n_empty: Mapping[str, int]
    """Rows without a text, where these are dropped."""
    conflicts: Sequence[str]
    """Where a text occurs first that a later row has under another label: one location for each text."""


def drop_duplicates(rows: SourceRows, on_empty: OnEmpty = "error") -> UniqueRows:
    """Keep the first row of every text, over train, validation and test in this order.

    Texts that differ in white space only are equal. Raises DataError, naming every row, for empty texts.
    """
    search, faults = _Search(), Faults()
    for name in SOURCE_SPLITS:
        if name in rows.splits:
            search.add(name, rows.splits[name], None if on_empty == "drop" else faults)
    faults.check()
    n_rows = {name: len(rows.splits[name].labels) for name in search.kept}
    n_dropped = {name: n_rows[name] - len(kept) - search.n_empty[name] for name, kept in search.kept.items()}
    return UniqueRows(search.kept, n_dropped, search.n_empty, tuple(search.conflicts.values()))


class _Search:
    """The texts that were seen so far, each with its first split and row."""

    def __init__(self) -> None:
        self.kept: dict[str, list[int]] = {}
        self.n_empty: dict[str, int] = {}
        self.conflicts: dict[bytes, str] = {}
        self.seen: dict[bytes, tuple[SplitRows, int]] = {}

    def add(self, name: str, split: SplitRows, faults: Faults | None) -> None:
        self.kept[name], self.n_empty[name] = [], 0
        for index, text in enumerate(split.texts):
            key = _key(text)
            if key is None:
                self.n_empty[name] += 1
                if faults is not None:
                    faults.add(_empty(split, index))
            elif key not in self.seen:
                self.seen[key] = split, index
                self.kept[name].append(index)
            else:
                first, at = self.seen[key]
                if _without_order(first.values[at]) != _without_order(split.values[index]):
                    self.conflicts[key] = str(first.place(at))


def _without_order(label: str | float | tuple[str, ...]) -> object:
    """Return a label as it is compared: the order of several classes is no part of it."""
    return frozenset(label) if isinstance(label, tuple) else label


def _key(text: Text) -> bytes | None:
    """Return what equal texts have in common; None where one is empty."""
    parts = [" ".join((part or "").split()) for part in ((text,) if isinstance(text, str | None) else text)]
    # 16 bytes instead of the text: a set of millions of reviews fits in memory.
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest() if all(parts) else None


def _empty(split: SplitRows, index: int) -> RowError:
    way_out = "Fill the row or remove it from the source, or set `on_empty: drop` of the sample."
    return RowError(split.place(index), "must have a text, but got an empty one", way_out)
