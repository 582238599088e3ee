"""A whole table file: all of its columns, read row by row, and rows written as text."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.delimited import header_of
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.names import column_names
from finetune_alf.data.readers.recognise import find_delimiter
from finetune_alf.data.readers.table import (
    DELIMITERS,
    JSON_LINES,
    check_is_file,
    check_suffix,
    read_table,
    row_separator,
)
from finetune_alf.errors import InputError

Row = Sequence[object]
WriteRows = Callable[[Sequence[Row]], None]
WRITTEN = (*DELIMITERS, *JSON_LINES)
"""The extensions of files that can be written."""


@dataclass(frozen=True)
class Table:
    """A table file, with the names of the columns that can be read."""

    path: Path
    columns: tuple[str, ...]
    form: FileFormat

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield the place of each row, for messages, and its values; raises DataError as `read_table` does."""
        for number, values in read_table(self.path, self.columns, self.columns, form=self.form):
            yield f"{self.path}{row_separator(self.path)}{number}", values


def open_table(path: Path, wanted: Sequence[str], way_out: str) -> Table:
    """Return a table that must have the columns `wanted`, by which its delimiter is recognised.

    `way_out` says where the wanted ones are named.

    Raises DataError, naming the file, where it cannot be read or has no such columns.
    """
    suffix, form = check_suffix(path), PLAIN
    check_is_file(path)
    if suffix in DELIMITERS:
        form = replace(PLAIN, delimiter=find_delimiter(path, wanted, PLAIN, DELIMITERS[suffix]))
    columns = header_of(path, form.delimiter) if form.delimiter else column_names(path)
    check_columns(str(path), wanted, columns, way_out)
    return Table(path, columns, form)


def check_suffix_written(out: Path) -> str:
    """Return the extension of a file to write; raises InputError for one that is not written."""
    suffix = out.suffix.lower()
    if suffix not in WRITTEN:
        raise InputError(f"{out}: must have one of the extensions {', '.join(WRITTEN)}, but got {suffix or 'none'!r}.")
    return suffix


@contextmanager
def writing(out: Path | None, columns: Sequence[str], usual: str = ".csv") -> Iterator[WriteRows]:
    """Yield a function that writes rows to a file by its extension, or to standard output as `usual` says.

    The file is there once all is written, and not before. Raises InputError for another extension.
    """
    if out is None:
        yield _writer(sys.stdout, columns, usual)
        return
    suffix = check_suffix_written(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield _writer(file, columns, suffix)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _writer(file: IO[str], columns: Sequence[str], suffix: str) -> WriteRows:
    if suffix in JSON_LINES:

        def write_objects(rows: Sequence[Row]) -> None:
            for row in rows:
                file.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")

        return write_objects
    writer = csv.writer(file, delimiter=DELIMITERS[suffix], lineterminator="\n")
    writer.writerow(columns)
    return writer.writerows
