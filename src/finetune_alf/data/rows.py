"""Rows of a source: texts, labels, label names, and the location of each row for messages."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from finetune_alf.data.missing_names import MINUS_ONE, drop_setting, is_missing_name
from finetune_alf.data.readers.numbers import DecimalMark, number_of, with_decimal_point
from finetune_alf.errors import DataError, RowError, RowPlace

Text = str | tuple[str, str]
SOURCE_SPLITS = ("train", "validation", "test")
"""The splits that a source can have; a text in two of them is kept in the earlier one."""

SINGLE_CLASS = "rows"
"""The class of every row of a regression task, under which rows are counted, and of all that are not drawn by class."""


@dataclass(frozen=True)
class SplitRows:
    """One split of a source; `texts` may read its items from disk one by one.

    `labels` are class names. Rows of a regression task have their labels in `scores`, rows that can have several
    classes in `sets`: these are all of SINGLE_CLASS.
    """

    texts: Sequence[Text]
    labels: Sequence[str]
    origin: str
    row_numbers: Sequence[int]
    has_lines: bool = True
    """Whether row numbers are lines of a file."""
    scores: Sequence[float] | None = None
    n_empty: int = 0
    """Rows without a text or label, which were left out."""
    sets: Sequence[tuple[str, ...]] | None = None
    label_column: str | None = None
    """The column of the labels, where it is one."""

    @property
    def values(self) -> Sequence[str] | Sequence[float] | Sequence[tuple[str, ...]]:
        """The label of each row: a class, a score, or several classes."""
        if self.sets is not None:
            return self.sets
        return self.labels if self.scores is None else self.scores

    @property
    def class_names(self) -> Iterator[str]:
        """The class of each row, or each of its classes, row by row."""
        return iter(self.labels) if self.sets is None else chain.from_iterable(self.sets)

    def place(self, index: int) -> RowPlace:
        """Return where a row begins."""
        return RowPlace(self.origin, self.row_numbers[index], self.has_lines)


@dataclass(frozen=True)
class SourceRows:
    """All rows of a source: the train split, and validation and test if the source has them."""

    splits: Mapping[str, SplitRows]
    label_names: tuple[str, ...]
    revision: str
    """The hub's commit, or the SHA-256 of the files."""

    @property
    def drawn_by(self) -> tuple[str, ...]:
        """The classes that a split has its share of: all, or SINGLE_CLASS where a row can have several."""
        return self.label_names if self.splits["train"].sets is None else (SINGLE_CLASS,)

    @property
    def n_rows(self) -> int:
        """The number of rows of all splits, duplicates included."""
        return sum(len(split.labels) for split in self.splits.values())


EMPTY_LABEL = "Give every row a label, or leave out those without one by `on_empty: drop` of the sample."
"""What to do about rows whose label is empty."""


def is_empty(value: object) -> bool:
    """Say whether a value of a table is missing: null, NaN, or white space alone."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or (isinstance(value, str) and not value.strip())


def label_name(value: object, place: RowPlace, field: str, *, is_item: bool = False) -> str:
    """Return the class name of a label that is a string, a boolean or a whole number; raises RowError for others.

    It may be an item of a list of labels.
    """
    if isinstance(value, bool):
        return str(value).lower()
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if is_whole or (isinstance(value, str) and value.strip()):
        return str(value)
    way_out = "Give every row a label, or use another column as label."
    if is_empty(value) and not is_item:
        way_out = EMPTY_LABEL
    if isinstance(value, float) and not is_empty(value):
        way_out = (
            "Set `problem_type: regression` of the sample where labels are numbers, or use another column as label."
        )
    if isinstance(value, list):
        way_out = "Set `problem_type: multi_label` of the sample where a row can have several classes."
    raise RowError(place, f"the label must be an integer or a string, but got {value!r}", way_out, field)


def label_set(value: object, separator: str, place: RowPlace, field: str) -> tuple[str, ...]:
    """Return the class names of a label that is a list, or a string of names with a separator; () for an empty one.

    Raises RowError for others, and for a name with the separator in it.
    """
    parts = [part for part in value.split(separator) if part.strip()] if isinstance(value, str) else value
    is_item = isinstance(parts, list)
    names = [
        label_name(part.strip() if isinstance(part, str) else part, place, field, is_item=is_item)
        for part in (parts if isinstance(parts, list) else [value])
    ]
    for name in names:
        if separator in name:
            raise RowError(
                place,
                f"a class must not contain the separator {separator!r}, but got {name!r}",
                "Set `label_separator` of the source to what no class contains.",
                field,
            )
    return tuple(dict.fromkeys(names))


FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
"""What a column says of its class."""


def flagged(names: Sequence[str], values: Sequence[object], place: RowPlace) -> tuple[str, ...]:
    """Return the classes whose column has a 1; raises RowError for a value that is neither 0 nor 1."""
    flags = [FLAGS.get(str(value).strip().lower()) for value in values]
    if None in flags:
        index = flags.index(None)
        raise RowError(
            place,
            f"{names[index]} must be 0 or 1, as one of several columns of labels, but got {values[index]!r}",
            "Correct the row, or leave the column out of `label` of the source.",
            names[index],
        )
    return tuple(name for name, flag in zip(names, flags, strict=True) if flag)


def label_score(value: object, place: RowPlace, field: str, decimal: DecimalMark = ".") -> float:
    """Return a label as a finite number; raises RowError for others. `decimal` is the mark in strings."""
    number = _finite(value, decimal)
    if number is None:
        has_comma = decimal == "." and isinstance(value, str) and with_decimal_point(value.strip()) is not None
        way_out = (
            "Set `decimal: ','` of a source of files where numbers have a decimal comma, or correct the row."
            if has_comma
            else "Correct the row, use another column as label, or set `problem_type: classification`."
        )
        raise RowError(
            place,
            f"the label must be a finite number{' with a decimal comma' if decimal == ',' else ''}, but got {value!r}",
            EMPTY_LABEL if is_empty(value) else way_out,
            field,
        )
    return number


def _finite(value: object, decimal: DecimalMark) -> float | None:
    """Return a finite number; None for all else, and for a string with another decimal mark."""
    if isinstance(value, str):
        has_other_mark = decimal == "," and "." in value
        return None if has_other_mark else number_of(value.replace(decimal, "."))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def ordered_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the label names in the order of their indices: numerical if all are integers, else by code point."""
    names = sorted(set(labels))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in names):
        names.sort(key=int)
    return tuple(names)


def check_labels(rows: SourceRows) -> None:
    """Raise DataError unless every split has the same two or more classes, or train has two different scores.

    Where rows can have several classes, those of the other splits must be among those of train.
    """
    train = rows.splits["train"]
    if train.scores is not None:
        if len(set(train.scores)) < 2:
            raise DataError(
                f"{train.origin}: must have at least two different scores, but got only {train.scores[0]:g}. "
                "Use another column as label."
            )
        return
    names = set(train.class_names)
    if len(names) < 2:
        raise DataError(
            f"{train.origin}: must have at least two classes, but got only {listed(names) or 'rows without any'}. "
            "Add rows of another class, or use another column as label."
        )
    for split in rows.splits.values():
        if split.sets is None:
            _check_same(split, names, train.origin)
        elif unknown := set(split.class_names) - names:
            raise DataError(
                f"{split.origin}: must have classes of {train.origin} ({listed(names)}), but got {listed(unknown)}. "
                "Leave them out with `labels: {drop: ...}`, or leave the split out; it is then drawn from the others."
            )


def _check_same(split: SplitRows, names: set[str], train: str) -> None:
    way_out = "Give every split the same labels, or leave the split out; it is then drawn from the others."
    unknown = [index for index, label in enumerate(split.labels) if label not in names]
    if unknown:
        first = split.labels[unknown[0]]
        if first in MINUS_ONE or is_missing_name(first):
            drop = drop_setting([first])
            way_out = f"Rows with {first} are often unlabelled: leave them out with `labels: {drop}` of the sample."
        problem = f"must have a label of {train} ({listed(names)}), but got {first!r}, one of {len(unknown)} such rows"
        raise RowError(split.place(unknown[0]), problem, way_out, split.label_column)
    missing = names - set(split.labels)
    if missing:
        raise DataError(
            f"{split.origin}: must have the labels of {train}, but no row has the label {listed(missing)}. {way_out}"
        )


def listed(names: set[str]) -> str:
    """Return names in order for a message, ten at most."""
    ordered = ordered_names(list(names))
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return ", ".join(repr(name) for name in ordered[:10]) + more
