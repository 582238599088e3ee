"""What a section of the page is made of: headings, paragraphs, cautions, lists, tables, figures and links.

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
    """Sentences that belong together; a finding is shown at once where a page folds the rest."""

    text: str
    is_finding: bool = False


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
    """Cells by row below a header, and a line above it; each row has a cell for each column."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; on a page of Markdown it is a file of that name."""

    file_name: str
    caption: str
    picture: Picture


@dataclass(frozen=True)
class Link:
    """A line that leads to an address of http or https, where there is one."""

    text: str
    url: str | None = None


@dataclass(frozen=True)
class Links:
    """A list of links."""

    lines: tuple[Link, ...]


Block = Heading | Paragraph | Caution | Items | Table | Figure | Links
