"""Guesses of labels that are several classes a row: lists, one cell with a separator, or columns of 0 and 1.

What could as well be one class a row is taken for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.data.readers.format import LABEL_SEPARATOR
from finetune_alf.data.readers.numbers import number_of
from finetune_alf.starting.profile import MAX_CLASSES, ColumnProfile

SEPARATORS = (LABEL_SEPARATOR, ";", ",", "/")

_OF_NUMBERS = (",", "/")
"""Within one number: 4,5 and 4/5."""

MIN_JOINED = 0.02
"""The smallest fraction of rows with several names."""

MAX_NAME = 40
"""Characters of the longest name; a longer part is of a text."""

MIN_FLAGS = 3
"""Fewer columns of 0 and 1 may each be anything."""


@dataclass(frozen=True)
class SeveralClasses:
    """Labels of several classes a row: the column or columns, the separator in one cell, and what was seen of them."""

    label: str | tuple[str, ...]
    seen: str
    separator: str = LABEL_SEPARATOR


def several_in(column: ColumnProfile) -> SeveralClasses | None:
    """Return what one column of several classes a row is; None for any other column."""
    if 0 < column.n_lists == column.n_values:
        return _of_lists(column)
    if column.n_lists or column.counts is None:
        return None
    found = (_of_cells(column.name, column.counts, separator) for separator in SEPARATORS)
    return next((each for each in found if each is not None), None)


def flags_in(columns: Sequence[ColumnProfile]) -> tuple[str, ...]:
    """Return the names of the columns of 0 and 1, if there are enough to be classes."""
    names = tuple(column.name for column in columns if column.is_flag)
    return names if MIN_FLAGS <= len(names) <= MAX_CLASSES else ()


def several_of_flags(names: tuple[str, ...], n_classes: Mapping[int, int]) -> SeveralClasses | None:
    """Return labels in columns of 0 and 1, from the rows by their number of ones.

    None where no row has several: such columns are one class a row.
    """
    n_rows, n_several = sum(n_classes.values()), sum(n for ones, n in n_classes.items() if ones > 1)
    if n_several < MIN_JOINED * n_rows:
        return None
    return SeveralClasses(names, f"{len(names)} columns of 0 and 1, and {n_several} of {n_rows} rows have several 1")


def _of_lists(column: ColumnProfile) -> SeveralClasses | None:
    """Return labels in lists; one of words, or of the tags of words, has an item twice sooner or later."""
    items = column.items
    if items is None or not 2 <= len(items) <= min(MAX_CLASSES, column.n_rows // 2) or not _are_names(items):
        return None
    if any(LABEL_SEPARATOR in name for name in items):
        return None
    return SeveralClasses(column.name, f"lists of {len(items)} different names")


def _of_cells(name: str, counts: Mapping[str, int], separator: str) -> SeveralClasses | None:
    """Return labels in cells with a separator between them.

    Names that are joined recur: alone, or in other places, and in more combinations than there are names. Parts of the
    name of one class, as in "Arts, Crafts" or "sport/tennis", do not.
    """
    cells = {cell: [part.strip() for part in cell.split(separator) if part.strip()] for cell in counts}
    n_rows, n_joined = sum(counts.values()), sum(counts[cell] for cell, parts in cells.items() if len(parts) > 1)
    if n_joined < max(MIN_JOINED * n_rows, 2) or any(len(set(parts)) < len(parts) for parts in cells.values()):
        return None
    places: dict[str, set[object]] = {}
    for parts in cells.values():
        for at, part in enumerate(parts):
            places.setdefault(part, set()).add("alone" if len(parts) == 1 else at)
    if not 2 <= len(places) <= min(MAX_CLASSES, n_rows // 2) or not _are_names(places):
        return None
    if separator in _OF_NUMBERS and all(number_of(part) is not None for part in places):
        return None
    n_recurring = sum(len(own) > 1 or "alone" in own for own in places.values())
    if len(set(map(frozenset, cells.values()))) <= len(places) or 2 * n_recurring < len(places):
        return None
    seen = f"{n_joined} of {n_rows} rows have several of {len(places)} names, with {separator!r} between them"
    return SeveralClasses(name, seen, separator)


def _are_names(parts: Iterable[str]) -> bool:
    return all(part and len(part) <= MAX_NAME for part in parts)
