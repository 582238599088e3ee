"""Texts and labels from the rows of a table file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from finetune_alf.data.faults import Faults
from finetune_alf.data.readers.format import LABEL_SEPARATOR, PLAIN, FileFormat, label_columns
from finetune_alf.data.readers.numbers import DecimalMark
from finetune_alf.data.readers.table import has_lines, read_table
from finetune_alf.data.rows import SINGLE_CLASS, SplitRows, Text, flagged, is_empty, label_name, label_score, label_set
from finetune_alf.data.spec import OnEmpty
from finetune_alf.data.text_columns import JoinedText, TextColumns, columns_of, has_text, text_of
from finetune_alf.errors import DataError, RowError, RowPlace
from finetune_alf.metric_names import ProblemType

EMPTY_WAY_OUT = "Fill the row or remove it from the file, or set `on_empty: drop` of the sample."


def read_split(
    path: Path,
    text: TextColumns,
    label: str | tuple[str, ...],
    problem_type: ProblemType = "classification",
    *,
    on_empty: OnEmpty = "error",
    faults: Faults | None = None,
    form: FileFormat = PLAIN,
    label_separator: str = LABEL_SEPARATOR,
    decimal: DecimalMark = ".",
) -> SplitRows:
    """Read one split from one file; bad rows go to `faults`, without which they are a DataError.

    `label_separator` stands between the classes of a row that can have several, where these are one string. Several
    columns of labels are a class each, with 0 or 1. `decimal` is the decimal mark of scores.

    Raises DataError for a file that cannot be read.
    """
    columns, of_label, can_have_several = columns_of(text), label_columns(label), problem_type == "multi_label"
    read_label, with_lines, file = _label_reader(problem_type, label_separator, decimal), has_lines(path), str(path)
    found = faults or Faults()
    texts: list[Text] = []
    labels: list[Any] = []
    numbers: list[int] = []
    n_empty = 0
    for number, values in read_table(
        path,
        (*columns, *of_label),
        of_label,
        form=form,
        faults=found,
        labels=of_label,
        can_have_several=can_have_several,
    ):
        of_text, own = values[: len(columns)], values[len(columns) :]
        has_label = own[0] is not None if can_have_several and len(own) == 1 else not any(map(is_empty, own))
        if on_empty == "drop" and not (has_label and has_text(text, of_text)):
            n_empty += 1
            continue
        place = RowPlace(file, number, with_lines)
        with found.collecting():
            whole = read_text(text, of_text, place)
            labels.append(
                read_label(own[0], place=place, field=of_label[0]) if len(own) == 1 else flagged(of_label, own, place)
            )
            texts.append(whole)
            numbers.append(number)
    if faults is None:
        found.check()
    if not texts and not found.errors:
        raise DataError(f"{path}: must have rows, but has none. Use another file, or leave this split out.")
    fields: dict[str, Any] = {"labels": [SINGLE_CLASS] * len(texts), _FIELD[problem_type]: labels}
    return SplitRows(
        texts,
        origin=file,
        row_numbers=numbers,
        has_lines=with_lines,
        n_empty=n_empty,
        label_column=of_label[0] if len(of_label) == 1 else None,
        **fields,
    )


def _label_reader(problem_type: ProblemType, separator: str, decimal: DecimalMark) -> Callable[..., Any]:
    """Return what reads one label, given its value, its place and its field."""
    readers: Mapping[ProblemType, Callable[..., Any]] = {
        "classification": label_name,
        "multi_label": partial(label_set, separator=separator),
        "regression": partial(label_score, decimal=decimal),
    }
    return readers[problem_type]


_FIELD: Mapping[ProblemType, str] = {"classification": "labels", "multi_label": "sets", "regression": "scores"}


def read_text(text: TextColumns, values: Sequence[object], place: RowPlace) -> Text:
    """Return the text or pair of these columns; raises RowError, with the place, for anything else."""
    given = zip(values, columns_of(text), strict=True)
    if isinstance(text, JoinedText) and has_text(text, values):
        return text_of(text, [check_text(value, place, column) for value, column in given if not is_empty(value)])
    return text_of(text, [_filled(check_text(value, place, column), place, column) for value, column in given])


def check_text(value: object, place: RowPlace, column: str) -> str:
    """Return a value that is a text of valid Unicode; raises RowError, with place and column, for anything else."""
    if not isinstance(value, str):
        way_out = EMPTY_WAY_OUT if is_empty(value) else "Correct the row, or use another column as text."
        raise RowError(place, f"the text must be a string, but got {value!r}", way_out, column)
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can contain a lone surrogate, which cannot be encoded as UTF-8.
        problem = "the text must be Unicode, but got a lone surrogate"
        raise RowError(place, problem, "Correct the row.", column) from None
    return value


def _filled(text: str, place: RowPlace, column: str) -> str:
    if is_empty(text):
        raise RowError(place, "must have a text, but got an empty one", EMPTY_WAY_OUT, column)
    return text
