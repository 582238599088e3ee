"""Texts without labels out of a file: one a line, or one column of a table."""

from dataclasses import dataclass
from pathlib import Path

from finetune_alf.data.files_source import expanded
from finetune_alf.data.readers.lines import numbered_lines
from finetune_alf.data.readers.table import READERS, read_table, row_mark
from finetune_alf.data.table_rows import checked_text
from finetune_alf.errors import DataError
from finetune_alf.files import file_digest


@dataclass(frozen=True)
class UnlabelledTexts:
    """The texts of a file, blank ones left out, and the SHA-256 of its bytes."""

    texts: tuple[str, ...]
    digest: str


def read_texts(path: str, column: str | None, root: Path) -> UnlabelledTexts:
    """Read a file's texts, environment variables in its path expanded, a relative path under `root`.

    Raises DataError naming the file, and the line where one is at fault.
    """
    file = root / expanded(path)
    if not file.is_file():
        raise DataError(f"{file}: must be a file, but there is none. Check the path; a URL has to be fetched first.")
    if column is None and file.suffix.lower() in READERS:
        raise DataError(
            f"{file}: must be read by a column, since it is a table, but none was named. Set `column` beside `file`."
        )
    texts = _lines(file) if column is None else _column(file, column)
    kept = tuple(text for text in texts if text.strip())
    if not kept:
        raise DataError(f"{file}: must hold texts, but has none. Name another file.")
    return UnlabelledTexts(kept, file_digest(file))


def _lines(file: Path) -> list[str]:
    return [text.strip() for _, text in numbered_lines(file)]


def _column(file: Path, column: str) -> list[str]:
    mark = row_mark(file)
    return [checked_text(value, f"{file}{mark}{number}") for number, (value,) in read_table(file, (column,))]
