"""Guesses about columns: which holds the text, and which the label."""

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from finetune_alf.data.readers.columns import PAIRS, TEXT_NAMES
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import InputError
from finetune_alf.starting.profile import MAX_CLASSES, ColumnProfile, TableProfile
from finetune_alf.starting.several import SeveralClasses, several_in

T = TypeVar("T")

LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "sentiment",
    "verdict",
    "rating",
    "stars",
    "score",
    "y",
)
"""Names that people give such columns; the first that is there counts, whatever its case."""

TAG_NAMES = ("tags", "topics", "categories", "genres", "labels", "classes", "emotions", "tag", "topic", "genre")
"""Names of columns of several classes; the first that is there counts."""

WORDS_OF_TEXT = 3
"""So many words on average, at least, make a column one of texts beside another one."""

LONG_NAME = 40
"""Longer names are shortened in messages."""


_ID = re.compile(r"(?:^|[\W_])(?:id|nr|no|number)$|[a-z]I[dD]$", re.ASCII)
"""The names of columns that number rows."""


@dataclass(frozen=True)
class Guess(Generic[T]):
    """What is guessed, and what was seen that it follows from."""

    value: T
    seen: str


NamedText = Sequence[str] | JoinedText
"""The user's own columns of the text: none, one, two for pairs, or several that are joined."""

NamedLabel = str | tuple[str, ...] | None
"""The user's own column of the label, or several of 0 and 1, or none."""


def check_rows(path: Path, table: TableProfile) -> None:
    """Raise InputError, naming the file, for a table without rows."""
    if not table.columns:
        fault = (
            f"must have columns of texts and labels, but {table.unread_in_words}: convert them" if table.unread else ""
        )
        raise InputError(f"{path}: {fault or 'must have rows, but is empty. Add rows'}.")
    if not table.n_rows:
        raise InputError(f"{path}: must have rows below the names of its columns, {_listed(table)}. Add rows.")


def named_label(given: str | Sequence[str] | None) -> NamedLabel:
    """Return the columns of the label that are named: none, one, or several."""
    names = (given,) if isinstance(given, str) else tuple(given or ())
    return names if len(names) > 1 else next(iter(names), None)


def guess_text(table: TableProfile, named: NamedText = (), label: NamedLabel = None) -> Guess[TextColumns]:
    """Return the column of texts, or two for pairs; `named` are the user's own. InputError where there is none."""
    if named:
        text = named if isinstance(named, JoinedText) else named[0] if len(named) == 1 else (named[0], named[1])
        for name in columns_of(text):
            _column(table, name, "--text")
        return Guess(text, "named by --text")
    taken = label if isinstance(label, tuple) else (label,)
    candidates = [column for column in table.columns.values() if column.name not in taken and _has_texts(column)]
    if not candidates:
        raise InputError(
            f"text: must be a column of texts, but none of {_listed(table)} holds any. Name it: --text COLUMN"
        )
    by_name = {column.name.strip().lower(): column.name for column in candidates}
    for first, second in PAIRS:
        if {first, second} <= set(by_name):
            return Guess((by_name[first], by_name[second]), "their names are those of pairs of texts")
    best = _named(candidates, TEXT_NAMES) or max(candidates, key=lambda one: (one.mean_words, one.mean_characters))
    seen = f"{best.mean_words:.0f} words on average, {best.n_different} different texts"
    return Guess(best.name, seen + _other_texts(candidates, best))


def guess_label(table: TableProfile, text: TextColumns, named: str | None = None) -> Guess[str]:
    """Return the column of labels; InputError where no column can be one."""
    taken = set(columns_of(text))
    if named is not None:
        column = _column(table, named, "--label")
        if named in taken:
            raise InputError(
                f"--label: must be another column than the text, but both are {named!r}.", option="--label"
            )
        return Guess(named, f"named by --label; {_described(column)}")
    candidates, scores = _candidates(table, taken)
    usual = _named([column for column in table.columns.values() if column.name not in taken], LABEL_NAMES)
    if usual is not None and not usual.n_values:
        raise InputError(
            f"label: column {usual.name!r} has a usual name, and is empty in all {usual.n_rows} rows. Fill it, or name "
            "another column: --label COLUMN"
        )
    best = _named([*candidates, *scores], LABEL_NAMES) or min(candidates, key=_order, default=None)
    if best is None:
        return _with_gaps(table, taken)
    gaps = (
        usual is not None and usual.n_empty and f"; {usual.name!r} is empty in {usual.n_empty} rows: --label takes it"
    )
    return Guess(best.name, f"{_described(best)}{_also(candidates, best.name)}{gaps or ''}")


def _order(column: ColumnProfile) -> tuple[bool, int]:
    """Return the order in which columns are taken for classes: those of fewer values first, and ids last."""
    return bool(_ID.search(column.name)) and column.is_numeric, column.n_different


def _with_gaps(table: TableProfile, taken: Collection[str]) -> Guess[str]:
    """Return a column whose rows without a value can be left out; InputError where there is none of labels either."""
    candidates, scores = _candidates(table, taken, with_gaps=True)
    best = _named([*candidates, *scores], LABEL_NAMES) or min(candidates, key=_order, default=None)
    if best is not None:
        return Guess(best.name, f"{_described(best)}, {best.n_empty} of them empty{_also(candidates, best.name)}")
    others = [column for column in table.columns.values() if column.name not in taken]
    why = "".join(f". {sentence}." for sentence in _why_no_label(table, others))
    raise InputError(
        f"label: must be a column with 2 to {MAX_CLASSES} different values, but no other column of {_listed(table)} is "
        f"one. Name it: --label COLUMN{why}"
    )


def _why_no_label(table: TableProfile, others: Sequence[ColumnProfile]) -> Iterator[str]:
    if len(table.columns) == 1 and not table.unread:
        yield "It is the only column; lines of text need a comma, semicolon, tab or bar between text and label"
    if column := (usual := _named(others, LABEL_NAMES)) or (others[0] if len(others) == 1 else None):
        n, named = column.n_different, "a usual name, but " if usual else ""
        yield f"{column.name!r} has {named}{n} different value{'s' * (n > 1)} in {column.n_values} rows"


def guess_several(table: TableProfile, text: TextColumns, named: str | None = None) -> SeveralClasses | None:
    """Return the one column of several classes a row; None where there is none, or another column has a usual name."""
    if named is not None:
        return several_in(table.columns[named]) if named in table.columns else None
    taken = set(columns_of(text))
    several = {name: several_in(column) for name, column in table.columns.items() if name not in taken}
    found = {name: each for name, each in several.items() if each is not None}
    candidates, scores = _candidates(table, taken)
    of_several = [table.columns[name] for name in found]
    if best := _named([*candidates, *scores, *of_several], LABEL_NAMES) or _named(of_several, TAG_NAMES):
        return found.get(best.name)
    first = next(iter(found.values()), None)
    return first and replace(first, seen=f"{first.seen}{_also(candidates, first.label)}")


def named_flags(table: TableProfile, text: TextColumns, named: tuple[str, ...]) -> SeveralClasses:
    """Return labels in the user's own columns of 0 and 1; InputError for one that is not there, or is the text."""
    for name in named:
        _column(table, name, "--label")
        if name in columns_of(text):
            raise InputError(f"--label: must be other columns than the text, but both have {name!r}.", option="--label")
    return SeveralClasses(named, f"named by --label; {len(named)} columns of 0 and 1")


def has_usual_label(table: TableProfile, text: TextColumns) -> bool:
    """Return whether a column that can be a label has one of the usual names."""
    candidates, scores = _candidates(table, set(columns_of(text)))
    return _named([*candidates, *scores], LABEL_NAMES) is not None


def _candidates(
    table: TableProfile, taken: Collection[str], *, with_gaps: bool = False
) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """Return the columns that can be classes, and those that are scores by their name, either without gaps or with."""
    others = [one for one in table.columns.values() if one.name not in taken and bool(one.n_empty) == with_gaps]
    candidates = [column for column in others if _can_be_classes(column)]
    scores = [column for column in others if column.is_numeric and column.name.strip().lower() in LABEL_NAMES]
    return candidates, scores


def _can_be_classes(column: ColumnProfile) -> bool:
    return 2 <= column.n_different <= min(MAX_CLASSES, column.n_values // 2) and not column.are_dates


def _other_texts(candidates: Sequence[ColumnProfile], best: ColumnProfile) -> str:
    """Return the other columns of texts, with the words that make one text of all."""
    found = [column for column in candidates if column is best or _is_text_too(column)]
    names = [column.name for column in found]
    if len(names) < 2:
        return ""
    others = ", ".join(repr(name) for name in names if name != best.name)
    words = shlex.join(word for name in names for word in ("--text", name))
    pair = ", and without --join as a pair" if len(names) == 2 else ""
    return f"; {others} hold{'s' * (len(names) == 2)} texts as well: {words} --join takes all as one text{pair}"


def _is_text_too(column: ColumnProfile) -> bool:
    return column.mean_words >= WORDS_OF_TEXT and column.n_different > MAX_CLASSES


def _also(candidates: Sequence[ColumnProfile], best: object) -> str:
    rest = ", ".join(f"{column.name!r}" for column in candidates if column.name != best)
    return f"; {rest} could be labels as well: name one with --label" if rest else ""


def _has_texts(column: ColumnProfile) -> bool:
    is_text = column.n_values > 0 and not column.n_lists
    n_others = column.n_numbers + column.n_commas + column.n_dates
    return is_text and n_others < column.n_values / 2 and column.n_different > 2


def _named(columns: Sequence[ColumnProfile], names: Sequence[str]) -> ColumnProfile | None:
    by_name = {column.name.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _column(table: TableProfile, name: str, option: str) -> ColumnProfile:
    if name not in table.columns:
        message = f"{option}: must name a column of the table, but got {name!r}. There are: {_listed(table)}."
        raise InputError(message, option=option)
    return table.columns[name]


def _described(column: ColumnProfile) -> str:
    return f"{column.n_different} different values in {column.n_rows} rows"


def _listed(table: TableProfile) -> str:
    names = ", ".join(repr(name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}…") for name in table.columns)
    return f"{names} ({table.unread_in_words}: convert what you need)" if table.unread else names
