"""The names of a table's columns, before any is chosen."""

from collections.abc import Sequence
from pathlib import Path

from finetune_alf.data.readers.delimited import header_of
from finetune_alf.data.readers.fasttext import COLUMNS, is_fasttext
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.json_lines import keys_of
from finetune_alf.data.readers.parquet import readable_columns
from finetune_alf.data.readers.stream import Source
from finetune_alf.data.readers.table import DELIMITERS, check_is_file, check_suffix


def column_names(path: Source, form: FileFormat = PLAIN, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of the columns that can be read; raises DataError, naming the file, as `read_table` does.

    `wanted` are those that it must have.
    """
    suffix = check_suffix(path)
    check_is_file(path)
    if form.columns is not None:
        return tuple(form.columns)
    if suffix == ".txt" and form.delimiter is None and is_fasttext(path, form.encoding):
        return COLUMNS
    if suffix in (*DELIMITERS, ".txt"):
        return header_of(path, form.separator or DELIMITERS.get(suffix, "\t"), form, wanted)
    if suffix == ".parquet" and isinstance(path, Path):
        return readable_columns(path)
    return keys_of(path, form.encoding)
