"""Which rows of a source can be drawn: none empty, and each text once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.rows import SOURCE_SPLITS, SourceRows, SplitRows, Text
from finetune_alf.errors import DataError


@dataclass(frozen=True)
class Distinct:
    """The rows of each given split that stay, by index, and how many repeated an earlier text."""

    kept: Mapping[str, Sequence[int]]
    dropped: Mapping[str, int]


def drop_duplicates(rows: SourceRows) -> Distinct:
    """Keep the first row of every text, over train, validation and test in this order.

    Texts are the same when they differ in white space alone. Raises DataError at an empty text.
    """
    seen: set[bytes] = set()
    kept = {name: _first_ones(rows.splits[name], seen) for name in SOURCE_SPLITS if name in rows.splits}
    return Distinct(kept, {name: len(rows.splits[name].labels) - len(indices) for name, indices in kept.items()})


def _first_ones(split: SplitRows, seen: set[bytes]) -> list[int]:
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
            f"{split.place(index)}: must have a text, but it is empty. Fill the row or take it out of the file."
        )
    # 16 bytes instead of the text: a set of millions of reviews stays within memory.
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=16).digest()
