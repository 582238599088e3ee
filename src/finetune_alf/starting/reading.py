"""How a table file is to be read, as far as its extension does not say: guesses with what each follows from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.data.readers.fasttext import is_fasttext
from finetune_alf.data.readers.format import PLAIN, FileFormat
from finetune_alf.data.readers.lines import find_encoding, line_not_utf_8, numbered_lines
from finetune_alf.data.readers.names import column_names
from finetune_alf.data.readers.recognise import first_records, headerless_names, most_regular_delimiter
from finetune_alf.data.readers.table import DELIMITERS, check_is_file, check_suffix


@dataclass(frozen=True)
class Reading:
    """The format of a file, the names of its columns, and what was seen for each setting that is not the usual one."""

    form: FileFormat
    columns: tuple[str, ...]
    seen: Mapping[str, str]

    def settings(self) -> dict[str, Any]:
        """Return the settings of the source in params.yaml that differ from the usual ones."""
        found = {name: getattr(self.form, name) for name in self.seen}
        if found.get("delimiter") == "\t":
            found["delimiter"] = "tab"
        return {name: list(value) if name == "columns" else value for name, value in found.items()}

    def without_quotes(self, path: Path, fault: str) -> "Reading | None":
        """Return the reading that takes quotes for parts of texts; None where that is no other reading."""
        if self.form.quoting == "none" or not (self.form.delimiter or check_suffix(path) in DELIMITERS):
            return None
        form = self.form.model_copy(update={"quoting": "none"})
        seen = {**self.seen, "quoting": f"quotes are part of the texts; read as quotes, {fault}"}
        return Reading(form, column_names(path, form), seen)


def guess_reading(path: Path) -> Reading:
    """Return how to read a file; raises DataError, naming the file, where it cannot be read in any way."""
    suffix, form = check_suffix(path), PLAIN
    check_is_file(path)
    seen: dict[str, str] = {}
    if suffix != ".parquet" and (encoding := find_encoding(path)) != PLAIN.encoding:
        form = form.model_copy(update={"encoding": encoding})
        seen["encoding"] = _seen_of_encoding(path, encoding)
    if suffix in DELIMITERS or (suffix == ".txt" and not is_fasttext(path, form.encoding)):
        form = _with_delimiter(path, form, DELIMITERS.get(suffix, "\t"), seen)
    return Reading(form, column_names(path, form), seen)


def _with_delimiter(path: Path, form: FileFormat, usual: str, seen: dict[str, str]) -> FileFormat:
    """Return the format with delimiter and names of columns, where they are not the usual ones."""
    delimiter = most_regular_delimiter(path, form, usual)
    records = first_records(path, form, delimiter)
    if delimiter != usual:
        form = form.model_copy(update={"delimiter": delimiter})
        seen["delimiter"] = f"{len(records[0])} columns in the first line"
    if (names := headerless_names(records)) is not None:
        form = form.model_copy(update={"columns": tuple(names)})
        seen["columns"] = f"no header line: the first line looks like a row, {', '.join(_short(records[0]))}"
    return form


def _seen_of_encoding(path: Path, encoding: str) -> str:
    if encoding == "utf-16":
        return "the file begins as UTF-16 does"
    if (fault := line_not_utf_8(path)) is not None:
        return f"line {fault} is not UTF-8, but most others are, and are read wrong: correct it, and run this again"
    for number, line in numbered_lines(path, encoding):
        word = next((word for word in line.split() if not word.isascii()), None)
        if word is not None:
            return f"not UTF-8; line {number} has {word[:30]!r}"
    return "not UTF-8"


def _short(fields: list[str]) -> list[str]:
    return [repr(field if len(field) <= 30 else f"{field[:30]}…") for field in fields]
