"""CSV and TSV with a header, quoted as by the csv module; every row has as many fields as the header."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.errors import DataError


def read_delimited(path: Path, columns: Sequence[str], delimiter: str) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Yield the first line number of each row and its values, all strings; blank lines are skipped.

    Raises DataError, naming file and line, for a wrong number of fields or an invalid quote.
    """
    records = _records(path, delimiter)
    _, header = next(records, (0, []))
    check_columns(str(path), columns, header)
    indices = [header.index(column) for column in columns]
    for line, record in records:
        if len(record) != len(header):
            raise DataError(
                f"{path}:{line}: must have {len(header)} fields, as the header, but got {len(record)}. "
                "Quote fields that contain the delimiter."
            )
        yield line, tuple(record[index] for index in indices)


def header_of(path: Path, delimiter: str) -> tuple[str, ...]:
    """Return the names in the first line."""
    _, header = next(_records(path, delimiter), (0, []))
    check_columns(str(path), (), header)
    return tuple(header)


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = (text for _, text in numbered_lines(path))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}:{line}: must be delimited text, but got: {error}. "
                "Close every quote, and double quotes inside a quoted field."
            ) from None
        if record:
            yield line, record
