"""How a table file is written, as far as its extension does not say."""

import csv
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finetune_alf.spec import ADDED_LATER, Spec

Column = Annotated[str, Field(min_length=1)]

LabelColumns = Column | Annotated[tuple[Column, ...], Field(strict=False, min_length=2)]
"""The column of the label, or one of 0 and 1 for each class."""

LABEL_SEPARATOR = "|"
"""Between the classes of a row that has several in one string."""


class FileFormat(Spec):
    """The format of a file, and the base of each spec that names files.

    `columns` names the columns of files without a header. The delimiter is recognised where none is named; `tab` is a
    name of it. With `quoting: none` quotes are part of the texts.
    """

    columns: Annotated[tuple[Column, ...] | None, Field(strict=False), ADDED_LATER] = None
    """The names of the columns, for files without a header line."""
    encoding: Annotated[str, ADDED_LATER] = "utf-8"
    """The encoding, by Python's name for it."""
    delimiter: Annotated[str | None, Field(pattern=r'^([^\r\n"]|tab)$'), ADDED_LATER] = None
    """What stands between columns; recognised where it is not given."""
    quoting: Annotated[Literal["standard", "none"], ADDED_LATER] = "standard"
    """Whether quotes enclose fields, or are part of the texts (`none`)."""

    @model_validator(mode="after")
    def _format_is_known(self) -> Self:
        try:
            b"a\n".decode(self.encoding, errors="replace")
        except LookupError:
            raise ValueError(
                f"encoding: must be a text encoding, such as utf-8, latin-1 or cp1252, but got {self.encoding!r}"
            ) from None
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns: must have different names, but got {', '.join(self.columns)}")
        return self

    @property
    def separator(self) -> str | None:
        """The delimiter itself."""
        return "\t" if self.delimiter == "tab" else self.delimiter

    @property
    def csv_quoting(self) -> Literal[0, 3]:
        """The constant of the csv module."""
        return csv.QUOTE_NONE if self.quoting == "none" else csv.QUOTE_MINIMAL

    def format_settings(self) -> dict[str, object]:
        """Return the settings of the format that are given, by name."""
        values = {name: getattr(self, name) for name in FileFormat.model_fields}
        return {name: value for name, value in values.items() if value != FileFormat.model_fields[name].default}


PLAIN = FileFormat()


def label_columns(label: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns of the label."""
    return (label,) if isinstance(label, str) else label


def table_suffix(path: Path) -> str:
    """Return the extension that stands for a file's format: that before `.gz` where it is compressed."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix
