"""Guesses about columns: which holds the text, which the label, and whether labels are classes or a score."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from finetune_alf.data.readers.columns import PAIRS, TEXT_NAMES
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of
from finetune_alf.errors import InputError
from finetune_alf.metric_names import ProblemType
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

MAX_WHOLE_CLASSES = 20
"""More different whole numbers are a score."""

LONG_NAME = 40
"""Longer names are shortened in messages."""


@dataclass(frozen=True)
class Guess(Generic[T]):
    """What is guessed, and what was seen that it follows from."""

    value: T
    seen: str


NamedText = Sequence[str] | JoinedText
"""The user's own columns of the text: none, one, two for pairs, or several that are joined."""

NamedLabel = str | tuple[str, ...] | None
"""The user's own column of the label, or several of 0 and 1, or none."""


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
    by_name = {column.name.lower(): column.name for column in candidates}
    for first, second in PAIRS:
        if {first, second} <= set(by_name):
            return Guess((by_name[first], by_name[second]), "their names are those of pairs of texts")
    best = _named(candidates, TEXT_NAMES) or max(candidates, key=lambda one: (one.mean_words, one.mean_characters))
    return Guess(best.name, f"{best.mean_words:.0f} words on average, {best.n_different} different texts")


def guess_label(table: TableProfile, text: TextColumns, named: str | None = None) -> Guess[str]:
    """Return the column of labels; InputError where no column can be one."""
    taken = set(columns_of(text))
    if named is not None:
        column = _column(table, named, "--label")
        if named in taken:
            raise InputError(f"--label: must be another column than the text, but both are {named!r}.")
        return Guess(named, f"named by --label; {_described(column)}")
    candidates, scores = _candidates(table, taken)
    usual = _named([column for column in table.columns.values() if column.name not in taken], LABEL_NAMES)
    if usual is not None and not usual.n_values:
        raise InputError(
            f"label: column {usual.name!r} has a usual name, and is empty in all {usual.n_rows} rows. Fill it, or name "
            "another column: --label COLUMN"
        )
    best = _named([*candidates, *scores], LABEL_NAMES) or min(
        candidates, key=lambda column: column.n_different, default=None
    )
    if best is None:
        raise InputError(
            f"label: must be a column with 2 to {MAX_CLASSES} different values and none empty, but no other column of "
            f"{_listed(table)} is one. Name it: --label COLUMN"
        )
    gaps = (
        usual is not None and usual.n_empty and f"; {usual.name!r} is empty in {usual.n_empty} rows: --label takes it"
    )
    return Guess(best.name, f"{_described(best)}{_also(candidates, best.name)}{gaps or ''}")


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
            raise InputError(f"--label: must be other columns than the text, but both have {name!r}.")
    return SeveralClasses(named, f"named by --label; {len(named)} columns of 0 and 1")


def has_usual_label(table: TableProfile, text: TextColumns) -> bool:
    """Return whether a column that can be a label has one of the usual names."""
    candidates, scores = _candidates(table, set(columns_of(text)))
    return _named([*candidates, *scores], LABEL_NAMES) is not None


def _candidates(table: TableProfile, taken: Collection[str]) -> tuple[list[ColumnProfile], list[ColumnProfile]]:
    """Return the columns that can be classes, and those that are scores by their name."""
    others = [column for column in table.columns.values() if column.name not in taken and not column.n_empty]
    candidates = [column for column in others if 2 <= column.n_different <= min(MAX_CLASSES, column.n_rows // 2)]
    scores = [column for column in others if column.is_numeric and column.name.lower() in LABEL_NAMES]
    return candidates, scores


def _also(candidates: Sequence[ColumnProfile], best: object) -> str:
    rest = ", ".join(f"{column.name!r}" for column in candidates if column.name != best)
    return f"; {rest} could be labels as well: name one with --label" if rest else ""


def guess_task(label: ColumnProfile) -> Guess[ProblemType]:
    """Return whether labels are classes or a score."""
    n = label.n_different
    if label.is_numeric and label.n_whole < label.n_values:
        return Guess("regression", f"numbers with fractions, {n} different ones")
    if label.is_numeric and n > MAX_WHOLE_CLASSES:
        return Guess("regression", f"{n} different whole numbers, more than {MAX_WHOLE_CLASSES}")
    if label.is_numeric:
        return Guess("classification", f"{n} different whole numbers")
    return Guess("classification", f"{n} different names")


def _has_texts(column: ColumnProfile) -> bool:
    is_text = column.n_values > 0 and not column.n_lists
    return is_text and column.n_numbers < column.n_values / 2 and column.n_different > 2


def _named(columns: Sequence[ColumnProfile], names: Sequence[str]) -> ColumnProfile | None:
    by_name = {column.name.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _column(table: TableProfile, name: str, option: str) -> ColumnProfile:
    if name not in table.columns:
        raise InputError(f"{option}: must name a column of the table, but got {name!r}. There are: {_listed(table)}.")
    return table.columns[name]


def _described(column: ColumnProfile) -> str:
    return f"{column.n_different} different values in {column.n_rows} rows"


def _listed(table: TableProfile) -> str:
    return ", ".join(repr(name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}…") for name in table.columns)
