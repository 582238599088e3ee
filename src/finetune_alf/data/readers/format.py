"""How a table file is written, as far as its extension does not say."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Quoting = Literal["standard", "none"]


@dataclass(frozen=True)
class FileFormat:
    """`columns` names those of a file without a header; without a delimiter it is recognised from the first lines."""

    columns: Sequence[str] | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    quoting: Quoting = "standard"

    @property
    def csv_quoting(self) -> Literal[0, 3]:
        """The constant of the csv module."""
        return csv.QUOTE_NONE if self.quoting == "none" else csv.QUOTE_MINIMAL


PLAIN = FileFormat()


def table_suffix(path: Path) -> str:
    """Return the extension that stands for a file's format: that before `.gz` where it is compressed."""
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix
