"""A section of the page: blocks in order, and how a text from outside becomes part of one."""

from collections.abc import Iterable, Sequence

from finetune_alf.figures.picture import Picture
from finetune_alf.report.blocks import Block, Caution, Figure, Heading, Items, Paragraph, Table
from finetune_alf.report.markdown import markdown


class Section:
    """Blocks in order; `markdown` writes them as Markdown, `report/html.py` as HTML."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    @property
    def markdown(self) -> str:
        """The Markdown of all blocks."""
        return markdown(self.blocks)

    @property
    def pictures(self) -> dict[str, Picture]:
        """The pictures of all figures by file name."""
        return {block.file_name: block.picture for block in self.blocks if isinstance(block, Figure)}

    def files(self) -> dict[str, bytes]:
        """Return the PNG of each figure by file name."""
        return {name: picture.png() for name, picture in self.pictures.items()}

    def heading(self, level: int, text: str) -> None:
        """Add a heading; 2 is the level of a study or an experiment, 1 that of the page."""
        self.blocks.append(Heading(level, text))

    def text(self, *sentences: str | None) -> None:
        """Add a paragraph of those sentences that there are."""
        if text := _joined(sentences):
            self.blocks.append(Paragraph(text))

    def caution(self, *sentences: str | None) -> None:
        """Add a paragraph that keeps a reader from a wrong conclusion."""
        if text := _joined(sentences):
            self.blocks.append(Caution(text))

    def items(self, lines: Iterable[str]) -> None:
        """Add a list."""
        self.blocks.append(Items(tuple(lines)))

    def figure(self, file_name: str, caption: str, picture: Picture) -> None:
        """Add a picture with its caption."""
        self.blocks.append(Figure(file_name, caption, picture))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table."""
        self.blocks.append(Table(tuple(header), tuple(tuple(row) for row in rows)))

    def append(self, other: "Section") -> None:
        """Add all of another section."""
        self.blocks += other.blocks


def plain(text: str) -> str:
    """Return a text from outside on one line, with nothing that Markdown or HTML would act on."""
    for sign in "\\`*_{}[]<>#|":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def code(text: str) -> str:
    """Return a name from outside as code, where only a backtick and a line's end would act."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _joined(sentences: Sequence[str | None]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
