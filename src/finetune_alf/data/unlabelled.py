"""Texts without labels from a file: one on each line, or one column of a table."""

from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.files_source import expand_variables
from finetune_alf.data.readers.format import PLAIN, FileFormat, table_suffix
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.table import READERS, check_is_file, has_lines, read_table
from finetune_alf.data.rows import is_empty
from finetune_alf.data.table_rows import check_text
from finetune_alf.errors import DataError, RowPlace
from finetune_alf.files import file_digest


@dataclass(frozen=True)
class UnlabelledTexts:
    """The texts of a file, without blank and missing ones, and the SHA-256 of its bytes."""

    texts: tuple[str, ...]
    digest: str


def read_texts(path: str, column: str | None, root: Path, form: FileFormat = PLAIN) -> UnlabelledTexts:
    """Read the texts of a file; environment variables in its path are expanded, a relative path is under `root`.

    Raises DataError, naming the file and, if one is invalid, the line.
    """
    file = root / expand_variables(path)
    check_is_file(file)
    if column is None and table_suffix(file) in READERS:
        raise DataError(f"{file}: must have a column, as it is a table, but got none. Set `column` of this file.")
    texts = _lines(file, form) if column is None else _column(file, column, form)
    kept = tuple(text for text in texts if text.strip())
    if not kept:
        raise DataError(f"{file}: must have texts, but has none. Use another file.")
    return UnlabelledTexts(kept, file_digest(file))


def _lines(file: Path, form: FileFormat) -> list[str]:
    return [text.strip() for _, text in numbered_lines(file, form.encoding)]


def _column(file: Path, column: str, form: FileFormat) -> list[str]:
    name, with_lines, rows = str(file), has_lines(file), read_table(file, (column,), form=form)
    given = ((number, value) for number, (value,) in rows if not is_empty(value))
    return [check_text(value, RowPlace(name, number, with_lines), column) for number, value in given]
