"""A section of the page: blocks in order, and how a text from outside becomes part of one."""

from collections.abc import Iterable, Sequence

from finetune_alf.errors import InputError
from finetune_alf.figures.picture import Picture
from finetune_alf.report.blocks import Block, Caution, Figure, Heading, Items, Link, Links, Paragraph, Table
from finetune_alf.report.markdown import markdown


class Section:
    """Blocks in order; `markdown` writes them as Markdown, `report/html/` as HTML."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    @property
    def markdown(self) -> str:
        """The Markdown of all blocks."""
        return markdown(self.blocks)

    @property
    def pictures(self) -> dict[str, Picture]:
        """The pictures of all figures by file name. Raises InputError where two of them would be one file."""
        found: dict[str, Picture] = {}
        for block in self.blocks:
            if isinstance(block, Figure) and found.setdefault(block.file_name, block.picture) != block.picture:
                raise InputError(
                    f"{block.file_name}: must be one picture of the report, but got two. Give one of the entries of "
                    "params.yaml that it is named after another name."
                )
        return found

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

    def finding(self, *sentences: str | None) -> None:
        """Add a paragraph that is shown at once where a page folds the rest."""
        if text := _joined(sentences):
            self.blocks.append(Paragraph(text, is_finding=True))

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

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
        """Add a table, with a title where its section has several."""
        self.blocks.append(Table(tuple(header), tuple(tuple(row) for row in rows), title))

    def links(self, lines: Iterable[Link]) -> None:
        """Add a list of links."""
        self.blocks.append(Links(tuple(lines)))

    def append(self, other: "Section") -> None:
        """Add all of another section."""
        self.blocks += other.blocks


def plain(text: str) -> str:
    """Return a text from outside on one line, with nothing that Markdown or HTML would act on."""
    for sign in "\\`*_{}[]<>#|&~$":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def code(text: str) -> str:
    """Return a name from outside as code, where only a backtick and a line's end would act."""
    return "`" + " ".join(text.replace("`", "'").split()) + "`"


def _joined(sentences: Sequence[str | None]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
