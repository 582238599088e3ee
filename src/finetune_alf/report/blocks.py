"""What a section of the page is made of: headings, paragraphs, cautions, lists, tables and figures.

Texts are Markdown on one line: emphasis and code. What comes from outside is escaped where it is put in
(`section.plain`, `section.code`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.figures.picture import Picture

FIGURES = "figures"
"""The folder of the pictures, beside the page."""


@dataclass(frozen=True)
class Heading:
    """A heading; 1 is the level of the page's title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences that belong together."""

    text: str


@dataclass(frozen=True)
class Caution:
    """A paragraph that keeps a reader from a wrong conclusion."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells by row below a header; each row has a cell for each column."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; on a page of Markdown it is a file of that name."""

    file_name: str
    caption: str
    picture: Picture


Block = Heading | Paragraph | Caution | Items | Table | Figure
