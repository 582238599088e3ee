"""Blocks as Markdown, as GitHub renders it."""

import re
from collections.abc import Iterable, Sequence

from finetune_alf.report.blocks import FIGURES, Block, Caution, Figure, Heading, Items, Links, Paragraph, Table

_WORD = re.compile(r"[A-Za-z`]{2}|[^\x00-\x7f\W\d_]")
"""Two letters in a row, since one stands in 43 s and 5e-5; one of another alphabet is enough."""


def markdown(blocks: Iterable[Block]) -> str:
    """Return the Markdown of blocks."""
    return "\n\n".join(map(_block, blocks))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {text}"
        case Paragraph(text, _):
            return text
        case Caution(text):
            return f"> {text}"
        case Items(lines):
            return "\n".join(f"- {line}" for line in lines)
        case Table(header, rows, title):
            return "\n\n".join(filter(None, (title, table(header, rows))))
        case Links(links):
            return "\n".join(f"- [{link.text}]({link.url})" if link.url else f"- {link.text}" for link in links)
        case Figure(file_name, caption, _):
            first = caption.split(". ")[0].rstrip(".")
            return f"![{first}]({FIGURES}/{file_name})\n\n*{caption.rstrip('.')}.*"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table: columns with words read from the left, numbers from the right."""
    body = [[_cell(cell) for cell in row] for row in rows]
    rule = ["---" if has_words(column) else "---:" for column in zip(*body, strict=True)]
    lines = [[_cell(cell) for cell in header], rule or ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def has_words(column: Iterable[str]) -> bool:
    """Return whether a column has words, and not numbers alone."""
    return any(_WORD.search(cell) for cell in column)


def _cell(text: str) -> str:
    return " ".join(text.replace("\\|", "|").replace("|", "\\|").split())
