"""A table file read by its extension."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from finetune_alf.data.readers.delimited import read_delimited
from finetune_alf.data.readers.json_lines import read_json_lines
from finetune_alf.data.readers.parquet import read_parquet
from finetune_alf.errors import DataError

Reader = Callable[[Path, Sequence[str]], Iterator[tuple[int, tuple[object, ...]]]]

READERS: dict[str, Reader] = {
    ".csv": partial(read_delimited, delimiter=","),
    ".tsv": partial(read_delimited, delimiter="\t"),
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
}


def read_table(
    path: Path, columns: Sequence[str], fractions: Sequence[str] = ()
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Return the rows of a file, each with its number; raises DataError, naming the file, where it cannot be read.

    `fractions` are the columns that may hold numbers with a fraction, where the format tells a column's type.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: must end in one of {', '.join(READERS)}, but ends in {path.suffix or 'nothing'!r}. "
            "Unpack or convert the file."
        )
    if not path.is_file():
        raise DataError(f"{path}: must be a file, but there is none. Check the path; a URL has to be fetched first.")
    return read_parquet(path, columns, fractions) if reader is read_parquet else reader(path, columns)


def row_mark(path: Path) -> str:
    """Return what stands between a file's name and a row's number in messages."""
    return " row " if path.suffix.lower() == ".parquet" else ":"
