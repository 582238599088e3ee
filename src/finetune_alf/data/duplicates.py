"""Rows of a source that can be drawn: each text once, and no empty text."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows, Text
from finetune_alf.errors import DataError


@dataclass(frozen=True)
class UniqueRows:
    """The indices of the rows of each source split that are kept, and the number of dropped duplicates."""

    kept: Mapping[str, Sequence[int]]
    n_dropped: Mapping[str, int]


def drop_duplicates(rows: SourceRows) -> UniqueRows:
    """Keep the first row of every text, over train, validation and test in this order.

    Texts that differ in white space only are equal. Raises DataError for an empty text.
    """
    seen: set[bytes] = set()
    kept = {name: _first_occurrences(rows.splits[name], seen) for name in SOURCE_SPLITS if name in rows.splits}
    return UniqueRows(kept, {name: len(rows.splits[name].labels) - len(indices) for name, indices in kept.items()})


def _first_occurrences(split: SplitRows, seen: set[bytes]) -> list[int]:
    kept = []
    for index, text in enumerate(split.texts):
        key = _key(text, split, index)
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return kept


def _key(text: Text, split: SplitRows, index: int) -> bytes:
    parts = [" ".join((part or "").split()) for part in ((text,) if isinstance(text, str | None) else text)]
    if not all(parts):
        raise DataError(
            f"{split.location(index)}: must have a text, but got an empty one. Fill the row or remove it from the file."
        )
    # 16 bytes instead of the text: a set of millions of reviews fits in memory.
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest()
