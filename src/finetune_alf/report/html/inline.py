"""The Markdown of a line as HTML: emphasis and code, and everything else escaped."""

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def inline(text: str) -> Markup:
    """Return a line of the report's Markdown as HTML; tags, links and images in it stay text."""
    return Markup(_parser().renderInline(text.replace(" %", "\u00a0%")))  # noqa: S704 - the parser escapes what it does not know


def words_of(text: str) -> str:
    """Return the words of a line of Markdown, for names and labels."""
    return inline(text).striptags()


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("zero").enable(["emphasis", "backticks", "escape"])
