"""Rows of a source: texts, labels, label names, and the location of each row for messages."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.errors import DataError, RowError

Text = str | tuple[str, str]
SOURCE_SPLITS = ("train", "validation", "test")
"""The splits that a source can have; a text in two of them is kept in the earlier one."""

SINGLE_CLASS = "rows"
"""The class of every row of a regression task, under which rows are counted."""


@dataclass(frozen=True)
class SplitRows:
    """One split of a source; `texts` may read its items from disk one by one.

    `labels` are class names. Rows of a regression task have their labels in `scores`, and all are of SINGLE_CLASS.
    """

    texts: Sequence[Text]
    labels: Sequence[str]
    origin: str
    row_numbers: Sequence[int]
    separator: str = ":"
    """Between origin and row number: a colon before a line, " row " where the format has no lines."""
    scores: Sequence[float] | None = None
    n_empty: int = 0
    """Rows without a text or label, which were left out."""

    def location(self, index: int) -> str:
        """Return the location of a row, such as `file:line`."""
        return f"{self.origin}{self.separator}{self.row_numbers[index]}"


@dataclass(frozen=True)
class SourceRows:
    """All rows of a source: the train split, and validation and test if the source has them."""

    splits: Mapping[str, SplitRows]
    label_names: tuple[str, ...]
    revision: str
    """The hub's commit, or the SHA-256 of the files."""

    @property
    def n_rows(self) -> int:
        """The number of rows of all splits, duplicates included."""
        return sum(len(split.labels) for split in self.splits.values())


def is_empty(value: object) -> bool:
    """Say whether a value of a table is missing: null, NaN, or white space alone."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or (isinstance(value, str) and not value.strip())


def label_name(value: object, location: str) -> str:
    """Return the class name of a label that is a string, a boolean or a whole number; raises RowError for others."""
    if isinstance(value, bool):
        return str(value).lower()
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if is_whole or (isinstance(value, str) and value.strip()):
        return str(value)
    way_out = "Give every row a label, or use another column as label."
    if isinstance(value, float) and not is_empty(value):
        way_out = (
            "Set `problem_type: regression` of the sample where labels are numbers, or use another column as label."
        )
    raise RowError(location, f"the label must be an integer or a string, but got {value!r}", way_out)


def label_score(value: object, location: str) -> float:
    """Return a label as a finite number; raises RowError for others."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or "_" in str(value):  # Python reads 1_0 as ten
        raise RowError(
            location,
            f"the label must be a finite number, but got {value!r}",
            "Correct the row, use another column as label, or set `problem_type: classification`.",
        )
    return number


def ordered_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the label names in the order of their indices: numerical if all are integers, else by code point."""
    names = sorted(set(labels))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in names):
        names.sort(key=int)
    return tuple(names)


def check_labels(rows: SourceRows) -> None:
    """Raise DataError unless every split has the same two or more classes, or train has two different scores."""
    train = rows.splits["train"]
    if train.scores is not None:
        if len(set(train.scores)) < 2:
            raise DataError(
                f"{train.origin}: must have at least two different scores, but got only {train.scores[0]:g}. "
                "Use another column as label."
            )
        return
    names = set(train.labels)
    if len(names) < 2:
        raise DataError(
            f"{train.origin}: must have at least two classes, but got only {listed(names)}. "
            "Add rows of another class, or use another column as label."
        )
    for split in rows.splits.values():
        _check_same(split, names, train.origin)


def _check_same(split: SplitRows, names: set[str], train: str) -> None:
    way_out = "Give every split the same labels, or leave the split out; it is then drawn from the others."
    unknown = [index for index, label in enumerate(split.labels) if label not in names]
    if unknown:
        if split.labels[unknown[0]] == "-1":
            way_out = "Rows with -1 are often unlabelled: leave them out with `labels: {drop: [-1]}` of the sample."
        raise DataError(
            f"{split.location(unknown[0])}: must have a label of {train} ({listed(names)}), but got "
            f"{split.labels[unknown[0]]!r}, one of {len(unknown)} such rows. {way_out}"
        )
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
