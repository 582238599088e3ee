"""What a text file shows of itself: its encoding, its delimiter, and whether it has a header."""

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import islice

from finetune_alf.data.faults import Faults
from finetune_alf.data.readers.format import FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.stream import Source, beginning_of
from finetune_alf.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
N_LINES = 50
"""So many lines are looked at."""

Records = list[list[str]]


def first_records(path: Source, form: FileFormat, delimiter: str) -> Records:
    """Return the fields of the first lines, each line taken for a row."""
    lines = [text for _, text in islice(numbered_lines(beginning_of(path), form.encoding, Faults()), N_LINES)]
    return [
        record
        for line in lines
        for record in csv.reader([line.rstrip("\r\n")], delimiter=delimiter, quoting=form.csv_quoting)
        if record
    ]


def find_delimiter(path: Source, wanted: Sequence[str], form: FileFormat, usual: str) -> str:
    """Return the delimiter under which the header has the wanted columns, or rows have as many fields as `columns`.

    The usual one of the extension where no other fits better.
    """
    if form.separator is not None:
        return form.separator
    fits = {one: _fit(first_records(path, form, one), wanted, form) for one in dict.fromkeys((usual, *DELIMITERS))}
    return max(fits, key=lambda one: fits[one])


def _fit(records: Records, wanted: Sequence[str], form: FileFormat) -> float:
    if form.columns is not None:
        return sum(len(record) == len(form.columns) for record in records)
    return float(bool(records) and set(wanted) <= set(records[0]))


def check_header(path: Source, wanted: Sequence[str], label: str | None, form: FileFormat, delimiter: str) -> None:
    """Raise DataError where the first line is a row: the file has no header."""
    if set(wanted) <= set((first_records(path, form, delimiter) or [[]])[0]):
        is_sentence = any(len(name.split()) > 3 for name in wanted if name != label)
        if not is_sentence or label is None:
            return
    splits = (first_records(path, form, one) for one in dict.fromkeys((delimiter, *DELIMITERS)))
    records = max(splits, key=_regularity)
    names = headerless_names(records)
    if names is None:
        return
    first, listed = ", ".join(repr(field[:40]) for field in records[0]), ", ".join(names)
    raise DataError(
        f"{path}: must have a header line with the names of the columns, but the first line looks like a row: {first}. "
        f"Name the columns in `columns` of the source, such as `columns: [{listed}]` with `text: text, label: label`."
    )


def most_regular_delimiter(path: Source, form: FileFormat, usual: str) -> str:
    """Return the delimiter by which most of the first lines have as many fields as the first, and more than one.

    The usual one of the extension where no other is better.
    """
    candidates = dict.fromkeys((usual, *DELIMITERS))
    return max(candidates, key=lambda one: _regularity(first_records(path, form, one)))


def headerless_names(records: Records) -> list[str] | None:
    """Return names for the columns of a file whose first line is a row; None where it names the columns."""
    if len(records) < 2 or len(records[0]) < 2 or not _looks_like_row(records[0], records[1:]):
        return None
    return _names(records)


def _regularity(records: Records) -> float:
    n_fields = len(records[0]) if records else 0
    return 0 if n_fields < 2 else sum(len(record) == n_fields for record in records)


def _looks_like_row(first: Sequence[str], others: Iterable[Sequence[str]]) -> bool:
    """Say whether a field is a number, or occurs again below as classes do."""
    columns = list(zip(*(record for record in others if len(record) == len(first)), strict=True))
    repeated = any(field in column for field, column in zip(first, columns, strict=False) if field.strip())
    return repeated or any(re.fullmatch(r"-?\d+(\.\d+)?", field.strip()) for field in first)


def _names(records: Records) -> list[str]:
    """Return `label` for the column with the fewest values, `text` for the longest, and numbers for the others."""
    regular = [record for record in records if len(record) == len(records[0])]
    columns = list(zip(*regular, strict=True))
    at = min(range(len(columns)), key=lambda index: (len(set(columns[index])), sum(map(len, columns[index]))))
    longest = max(
        (index for index in range(len(columns)) if index != at), key=lambda index: sum(map(len, columns[index]))
    )
    return [
        "label" if index == at else "text" if index == longest else f"column{index + 1}"
        for index in range(len(columns))
    ]
