"""A section of the page: Markdown paragraphs and their pictures."""

import re
from collections.abc import Iterable, Sequence

FIGURES = "figures"
"""The folder of the pictures, beside the page."""

_WORD = re.compile("[A-Za-z`]{2}")


class Section:
    """Paragraphs in order, and PNGs by file name."""

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self.pictures: dict[str, bytes] = {}

    @property
    def markdown(self) -> str:
        """The Markdown of all paragraphs."""
        return "\n\n".join(self.paragraphs)

    def text(self, *sentences: str | None) -> None:
        """Add a paragraph of those sentences that there are."""
        if text := " ".join(sentence for sentence in sentences if sentence):
            self.paragraphs.append(text)

    def figure(self, file_name: str, caption: str, png: bytes) -> None:
        """Add a picture with what it shows below it."""
        self.pictures[file_name] = png
        self.paragraphs += [f"![{caption}]({FIGURES}/{file_name})", f"*{caption}.*"]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table."""
        self.paragraphs.append(table(header, rows))

    def append(self, other: "Section") -> None:
        """Add all of another section."""
        self.paragraphs += other.paragraphs
        self.pictures |= other.pictures


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table as GitHub renders it: columns with words read from the left, numbers from the right."""
    body = [[_cell(cell) for cell in row] for row in rows]
    rule = ["---" if any(_WORD.search(cell) for cell in column) else "---:" for column in zip(*body, strict=True)]
    lines = [[_cell(cell) for cell in header], rule or ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def plain(text: str) -> str:
    """Return a text from outside on one line, with nothing that Markdown or HTML would act on."""
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def code(text: str) -> str:
    """Return a name from outside as code, where only a backtick and a line's end would act."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _cell(text: str) -> str:
    return " ".join(text.replace("\\|", "|").replace("|", "\\|").split())
