"""What a text file shows of itself: its encoding, its delimiter, and whether it has a header."""

import csv
import logging
from collections.abc import Iterable, Sequence
from itertools import islice

from finetune_alf.data.faults import Faults
from finetune_alf.data.readers.columns import is_usual_name
from finetune_alf.data.readers.format import FileFormat
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.numbers import number_of
from finetune_alf.data.readers.stream import MAX_LINE_BYTES, Source, beginning_of
from finetune_alf.errors import DataError, RowPlace

logger = logging.getLogger(__name__)

DELIMITERS = (",", ";", "\t", "|")
N_LINES = 50
"""So many lines are looked at."""

Records = list[list[str]]


def first_records(path: Source, form: FileFormat, delimiter: str) -> Records:
    """Return the fields of the first lines, each line taken for a row; a carriage return within one is a space."""
    csv.field_size_limit(MAX_LINE_BYTES)
    found = islice(numbered_lines(beginning_of(path), form.encoding, Faults()), N_LINES)
    lines = [text.rstrip("\r\n").replace("\r", " ") for _, text in found]  # part of a quoted text, or told as a fault
    return [
        record
        for line in lines
        for record in csv.reader([line], delimiter=delimiter, quoting=form.csv_quoting)
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


def check_header(
    path: Source, wanted: Sequence[str], labels: Sequence[str] | None, form: FileFormat, delimiter: str
) -> None:
    """Raise DataError where the first line is a row, so that the file has no header; warn where it may be one.

    `labels` are those of the wanted columns that hold labels, None where the wanted ones are not the user's own.
    """
    own = first_records(path, form, delimiter)
    if own and set(wanted) <= set(own[0]):
        texts = [name for name in wanted if name not in (labels or ())]
        if not labels or all(len(name.split()) <= 3 for name in texts):
            if labels is not None:
                _warn_of_row(path, own, texts)
            return
    splits = (first_records(path, form, one) for one in dict.fromkeys((delimiter, *DELIMITERS)))
    records = max(splits, key=_regularity)
    names = headerless_names(records)
    if names is None:
        return
    first, listed = ", ".join(repr(field[:40]) for field in records[0]), ", ".join(names)
    problem = f"must have a header line with the names of the columns, but the first line looks like a row: {first}"
    way_out = (
        f"Name the columns in `columns` of the source, such as `columns: [{listed}]` with `text: text, label: label`."
    )
    raise DataError(f"{path}: {problem}. {way_out}", [RowPlace(str(path), 1).fault(problem)])


def _warn_of_row(path: Source, records: Records, texts: Sequence[str]) -> None:
    """Warn where the name of a column is a value of it, too, and no column of texts is called as such columns are."""
    first, *others = records
    columns = list(zip(*(record for record in others if len(record) == len(first)), strict=True))
    values = [name for name, column in zip(first, columns, strict=False) if name in column and name not in texts]
    if values and not any(map(is_usual_name, texts)) and not _are_positions(first):
        logger.warning(
            f"{path}:1: the first line names the columns, but {values[0]!r} is also a value below. If the line is a "
            f"row, set `columns` of the source, such as `columns: [{', '.join(_names(records))}]`, or put a line with "
            "the names before it."
        )


def most_regular_delimiter(path: Source, form: FileFormat, usual: str) -> str:
    """Return the delimiter by which most of the first lines have as many fields as the first, and more than one.

    The usual one of the extension where no other is better.
    """
    candidates = dict.fromkeys((usual, *DELIMITERS))
    return max(candidates, key=lambda one: _regularity(first_records(path, form, one)))


def headerless_names(records: Records) -> list[str] | None:
    """Return names for the columns of a file whose first line is a row; None where it names the columns."""
    if len(records) < 2 or len(records[0]) < 2 or _are_positions(records[0]):
        return None
    return _names(records) if _looks_like_row(records[0], records[1:]) else None


def _are_positions(header: Sequence[str]) -> bool:
    """Say whether columns are called 0, 1 and so on, as pandas calls those without names, perhaps after an index."""
    names = list(header[1:] if header[0] == "" else header)
    return len(names) > 1 and names == [str(at) for at in range(len(names))]


def _regularity(records: Records) -> float:
    n_fields = len(records[0]) if records else 0
    return 0 if n_fields < 2 else sum(len(record) == n_fields for record in records)


def _looks_like_row(first: Sequence[str], others: Iterable[Sequence[str]]) -> bool:
    """Say whether a field is a number, or occurs again below as classes do."""
    columns = list(zip(*(record for record in others if len(record) == len(first)), strict=True))
    repeated = any(field in column for field, column in zip(first, columns, strict=False) if field.strip())
    return repeated or any(number_of(field) is not None for field in first)


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
