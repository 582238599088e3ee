"""Rows as a source gives them: texts, label names, and where each row stands, for messages."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.errors import DataError

Text = str | tuple[str, str]
SOURCE_SPLITS = ("train", "validation", "test")
"""The splits that a source may give, in the order in which the earlier keeps a text that two of them hold."""

ROWS = "rows"
"""What stands for a class where labels are scores: all rows are of one kind, and are counted under this name."""


@dataclass(frozen=True)
class SplitRows:
    """One split of a source; `texts` may read its items from disk one by one.

    `labels` are classes. Where labels are scores, those are in `scores`, and every row's class is ROWS.
    """

    texts: Sequence[Text]
    labels: Sequence[str]
    origin: str
    numbers: Sequence[int]
    mark: str = ":"
    """What stands between origin and number: a colon before a line, " row " where there are no lines."""
    scores: Sequence[float] | None = None

    def place(self, index: int) -> str:
        """Return where a row stands, as `file:line`."""
        return f"{self.origin}{self.mark}{self.numbers[index]}"


@dataclass(frozen=True)
class SourceRows:
    """All rows of a source: the train split, and validation and test where the source has them."""

    splits: Mapping[str, SplitRows]
    label_names: tuple[str, ...]
    revision: str
    """The hub's commit, or the SHA-256 of the files."""

    @property
    def n_rows(self) -> int:
        """The number of rows over all splits, duplicates included."""
        return sum(len(split.labels) for split in self.splits.values())


def label_name(value: object, place: str) -> str:
    """Return the name of a label that is a text, an integer or a truth value; raises DataError naming the place."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, str) and value.strip()):
        return str(value)
    raise DataError(
        f"{place}: must have a label that is an integer or a text, but got {value!r}. "
        "Give every row a label, or name another column as label."
    )


def label_score(value: object, place: str) -> float:
    """Return the finite number that a label is, or spells; raises DataError naming the place."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or "_" in str(value):  # Python reads 1_0 as ten
        raise DataError(
            f"{place}: must have a score that is a finite number, but got {value!r}. "
            "Repair the row, name another column as label, or set `task: classes`."
        )
    return number


def ordered_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the label names in the order of their ids: as numbers where all are, else by code point."""
    names = sorted(set(labels))
    if all(re.fullmatch(r"-?\d{1,18}", name) for name in names):
        names.sort(key=int)
    return tuple(names)


def check_labels(rows: SourceRows) -> None:
    """Raise DataError unless there are two classes at least, the same ones in every split; or two scores in train."""
    train = rows.splits["train"]
    if train.scores is not None:
        if len(set(train.scores)) < 2:
            raise DataError(
                f"{train.origin}: must hold at least two different scores, but got only {train.scores[0]:g}. "
                "Name another column as label."
            )
        return
    names = set(train.labels)
    if len(names) < 2:
        raise DataError(
            f"{train.origin}: must hold at least two classes, but got only {_listed(names)}. "
            "Add rows of another class, or name another column as label."
        )
    for split in rows.splits.values():
        _check_same(split, names, train.origin)


def _check_same(split: SplitRows, names: set[str], train: str) -> None:
    way_out = "Give every split the same labels, or leave the split out: it is drawn from the rest then."
    unseen = [index for index, label in enumerate(split.labels) if label not in names]
    if unseen:
        raise DataError(
            f"{split.place(unseen[0])}: must have a label of {train} ({_listed(names)}), but got "
            f"{split.labels[unseen[0]]!r}, as have {len(unseen)} rows in all. {way_out}"
        )
    missing = names - set(split.labels)
    if missing:
        raise DataError(
            f"{split.origin}: must have the labels of {train}, but has no row labelled {_listed(missing)}. {way_out}"
        )


def _listed(names: set[str]) -> str:
    ordered = ordered_names(list(names))
    more = f" and {len(ordered) - 10} more" if len(ordered) > 10 else ""
    return ", ".join(repr(name) for name in ordered[:10]) + more
