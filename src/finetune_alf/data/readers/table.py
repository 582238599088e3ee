"""Read a table file by its extension."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from finetune_alf.data.faults import Faults
from finetune_alf.data.readers.delimited import read_delimited
from finetune_alf.data.readers.fasttext import is_fasttext, read_fasttext
from finetune_alf.data.readers.format import PLAIN, FileFormat, table_suffix
from finetune_alf.data.readers.json_lines import read_json_lines
from finetune_alf.data.readers.parquet import read_parquet
from finetune_alf.data.readers.stream import Source, TextStream
from finetune_alf.errors import DataError
from finetune_alf.os_errors import check_regular

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")

READERS = (*DELIMITERS, *JSON_LINES, ".parquet")
"""The extensions of tables; `.txt` is one where it has labels as fastText writes them, or delimited columns."""

_CONVERT = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the sheet as CSV UTF-8 in the spreadsheet program."),
    ".json": "Write one object a line: `pandas.read_json(FILE).to_json('table.jsonl', orient='records', lines=True)`.",
}
"""How files of other extensions become tables."""

_URL = re.compile(r"(?:^|/)[A-Za-z][A-Za-z0-9+.-]+:/")
"""A scheme of two letters or more, at the start or below a folder; one letter is a drive."""


def read_table(
    path: Source,
    columns: Sequence[str],
    float_columns: Sequence[str] = (),
    *,
    form: FileFormat = PLAIN,
    faults: Faults | None = None,
    labels: Sequence[str] | None = (),
    can_have_several: bool = False,
) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Return the rows of a file, each with its number; raises DataError, naming the file, when it cannot be read.

    Bad rows go to `faults`, or are a DataError without it. `float_columns` can have floating-point numbers where the
    format has types. `labels` are the columns of the label, if there are any, and None for a first look, by which
    quotes are not checked; in text files as fastText takes them its values are lists where rows can have several.
    """
    suffix = check_suffix(path)
    check_is_file(path)
    is_text = suffix == ".txt" and form.columns is None and form.delimiter is None and is_fasttext(path, form.encoding)
    if (form.columns or form.delimiter) and suffix not in (*DELIMITERS, ".txt"):
        raise DataError(f"{path}: must be delimited text where `columns` or `delimiter` is set. Leave them out.")
    if suffix == ".parquet" and isinstance(path, Path):
        return read_parquet(path, columns, float_columns)
    if suffix in JSON_LINES:
        return read_json_lines(path, columns, form, faults)
    if is_text:
        return read_fasttext(path, columns, form, faults, can_have_several)
    return read_delimited(path, columns, DELIMITERS.get(suffix, "\t"), form, faults, labels)


def check_suffix(path: Source) -> str:
    """Return a table's extension, without `.gz`; raises DataError for one that cannot be read."""
    if isinstance(path, TextStream):
        return path.suffix
    suffix = table_suffix(path)
    if suffix not in (*READERS, ".txt") or (suffix == ".parquet" and path.suffix.lower() == ".gz"):
        raise DataError(
            f"{path}: must have one of the extensions {', '.join(READERS)} or .txt, all but Parquet also with .gz, "
            f"but got {path.suffix or 'none'!r}. {_CONVERT.get(path.suffix.lower(), 'Unpack or convert the file.')}"
        )
    return suffix


def check_is_file(path: Source) -> None:
    """Raise DataError when there is no such file."""
    if isinstance(path, Path):
        check_regular(path, DataError)
    if isinstance(path, Path) and not path.is_file():
        if _URL.search(str(path)):
            raise DataError(f"cannot read {path}: it is a URL. Download the file, and name its path.")
        raise DataError(f"cannot read {path}: no such file. Check the path.")


def has_lines(path: Source) -> bool:
    """Say whether a row's number is that of a line; Parquet has none."""
    return path.suffix.lower() != ".parquet"
