"""A figure as a notebook shows it."""

from dataclasses import dataclass
from pathlib import Path

from finetune_alf.files import write_bytes


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG; a cell that ends with it shows it."""

    png: bytes

    def save(self, path: str | Path) -> None:
        """Write the PNG to a file."""
        write_bytes(Path(path), self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"Picture({len(self.png)} bytes of PNG)"
