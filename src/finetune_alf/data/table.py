"""A whole table file: all of its columns, read row by row, and rows written as text."""

import csv
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from finetune_alf.data.readers.columns import check_columns
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.json_lines import read_objects
from finetune_alf.data.readers.names import column_names
from finetune_alf.data.readers.parquet import read_any, shape_of
from finetune_alf.data.readers.recognise import check_header, find_delimiter
from finetune_alf.data.readers.stream import Source, TextStream, file_stream
from finetune_alf.data.readers.table import (
    DELIMITERS,
    JSON_LINES,
    check_is_file,
    check_suffix,
    has_lines,
    read_table,
)
from finetune_alf.errors import InputError, RowPlace
from finetune_alf.os_errors import check_regular

Row = Sequence[object]
WriteRows = Callable[[Sequence[Row]], None]
WRITTEN = (*DELIMITERS, *JSON_LINES)
"""The extensions of files that can be written."""


@dataclass
class Table:
    """A table with the names of its columns, read row by row.

    `needed` are the columns that every row must have. `total` is its number of rows if it is Parquet, or else of bytes,
    None where that is not known; `position` is how many of them were read.
    """

    source: Source
    columns: tuple[str, ...]
    needed: tuple[str, ...]
    form: FileFormat
    total: int | None
    position: int = 0

    @property
    def unit(self) -> Literal["B", "rows"]:
        """What total and position count."""
        return "B" if isinstance(self.source, TextStream) else "rows"

    def rows(self) -> Iterator[tuple[RowPlace, Row]]:
        """Yield the place of each row and its values; raises DataError as `read_table` does."""
        file, with_lines = str(self.source), has_lines(self.source)
        for number, values in self._numbered():
            self.position = self.source.n_read if isinstance(self.source, TextStream) else number
            yield RowPlace(file, number, with_lines), values

    def _numbered(self) -> Iterator[tuple[int, tuple[object, ...]]]:
        if isinstance(self.source, TextStream):
            if self.source.suffix in JSON_LINES:
                return read_objects(self.source, self.columns, self.needed, self.form.encoding)
            return read_table(self.source, self.columns, form=self.form)
        return read_any(self.source, self.columns)


def open_table(given: Source, wanted: Sequence[str], way_out: str, form: FileFormat = PLAIN) -> Table:
    """Return the table of a file or stream; it must have the columns `wanted`, by which a delimiter is recognised.

    `way_out` says where the wanted ones are named.

    Raises DataError, naming the file, where it cannot be read or has no such columns.
    """
    suffix = check_suffix(given)
    check_is_file(given)
    if isinstance(given, Path) and suffix == ".parquet":
        columns, n_rows = shape_of(given)
        check_columns(RowPlace(str(given)), wanted, columns, way_out)
        return Table(given, columns, tuple(wanted), form, n_rows)
    source = given if isinstance(given, TextStream) else file_stream(given)
    if suffix in DELIMITERS:
        form = form.model_copy(update={"delimiter": find_delimiter(source, wanted, form, DELIMITERS[suffix])})
    columns = column_names(source, form, wanted)
    check_columns(RowPlace(str(source)), wanted, columns, way_out)
    if form.separator is not None:
        check_header(source, wanted, (), form, form.separator)
    return Table(source, columns, tuple(wanted), form, source.n_bytes)


def check_destination(out: Path, given: Path | None) -> None:
    """Raise InputError unless rows of the table `given` can be written to this file."""
    check_suffix_written(out)
    if not out.parent.is_dir():
        raise InputError(f"cannot write {out}: there is no folder {out.parent}. Make it, or name another file.")
    if given is not None and out.exists() and given.exists() and out.samefile(given):
        raise InputError(f"cannot write {out}: it is the table that is read. Name another file.")


def check_suffix_written(out: Path) -> str:
    """Return the extension of a file to write; raises InputError for one that is not written."""
    suffix = out.suffix.lower()
    if suffix not in WRITTEN:
        raise InputError(f"{out}: must have one of the extensions {', '.join(WRITTEN)}, but got {suffix or 'none'!r}.")
    return suffix


@contextmanager
def writing(out: Path | None, columns: Sequence[str], usual: str = ".csv") -> Iterator[WriteRows]:
    """Yield a function that writes rows to a file by its extension, or to standard output as `usual` says, in UTF-8.

    The file is there once all is written, and not before.
    """
    if out is None:
        yield _writer(sys.stdout.buffer, columns, usual)
        return
    suffix = check_suffix_written(out)
    check_regular(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield _writer(file, columns, suffix)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


class _Text:
    """A binary file that text is written to; half of a surrogate pair, which JSON allows, is written as in JSON."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode("utf-8", "backslashreplace"))


class _Lines:
    """Takes rows of the csv module, which quotes a carriage return only where lines end with one; these then do not."""

    def __init__(self, text: _Text) -> None:
        self._text = text

    def write(self, row: str) -> int:
        return self._text.write(row.removesuffix("\r\n") + "\n")


def _writer(file: IO[bytes], columns: Sequence[str], suffix: str) -> WriteRows:
    text = _Text(file)
    if suffix in JSON_LINES:
        keys = _keys(columns)

        def write_objects(rows: Sequence[Row]) -> None:
            for row in rows:
                values = dict(zip(keys, map(_json_value, row), strict=True))
                text.write(json.dumps(values, ensure_ascii=False, default=str) + "\n")
            file.flush()

        return write_objects
    writer = csv.writer(_Lines(text), delimiter=DELIMITERS[suffix], lineterminator="\r\n")
    writer.writerow(columns)

    def write_rows(rows: Sequence[Row]) -> None:
        writer.writerows([_csv_value(value) for value in row] for row in rows)
        file.flush()

    return write_rows


def _keys(columns: Sequence[str]) -> list[str]:
    """Return the columns as keys of an object; where several have no name, each is called by its place, from 1."""
    has_several = columns.count("") > 1
    return [f"column{at}" if has_several and not name else name for at, name in enumerate(columns, 1)]


def _json_value(value: object) -> object:
    """Return a value that JSON has, also within lists and objects; it has no NaN."""
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, dict):
        return {name: _json_value(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv_value(value: object) -> object:
    """Return what stands in a cell: lists, objects and booleans as in JSON, an empty cell for NaN."""
    if isinstance(value, bool | list | dict):
        return json.dumps(_json_value(value), ensure_ascii=False, default=str)
    return None if isinstance(value, float) and math.isnan(value) else value
