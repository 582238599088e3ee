"""Read a table file by its extension."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from finetune_alf.data.readers.delimited import read_delimited
from finetune_alf.data.readers.json_lines import read_json_lines
from finetune_alf.data.readers.parquet import read_parquet
from finetune_alf.errors import DataError

Reader = Callable[[Path, Sequence[str]], Iterator[tuple[int, tuple[object, ...]]]]

DELIMITERS = {".csv": ",", ".tsv": "\t"}

READERS: dict[str, Reader] = {
    **{suffix: partial(read_delimited, delimiter=delimiter) for suffix, delimiter in DELIMITERS.items()},
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}


def read_table(
    path: Path, columns: Sequence[str], float_columns: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Return the rows of a file, each with its number; raises DataError, naming the file, when it cannot be read.

    `float_columns` can have floating-point numbers where the format has types.
    """
    reader = check_suffix(path)
    check_is_file(path)
    return read_parquet(path, columns, float_columns) if reader is read_parquet else reader(path, columns)


def check_suffix(path: Path) -> Reader:
    """Return the reader of a file's extension; raises DataError when there is none."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: must have one of the extensions {', '.join(READERS)}, but got {path.suffix or 'none'!r}. "
            "Unpack or convert the file."
        )
    return reader


def check_is_file(path: Path) -> None:
    """Raise DataError when there is no such file."""
    if not path.is_file():
        raise DataError(f"cannot read {path}: no such file. Check the path, and download the file if it is a URL.")


def row_separator(path: Path) -> str:
    """Return the separator between a file's name and a row's number in messages."""
    return " row " if path.suffix.lower() == ".parquet" else ":"
