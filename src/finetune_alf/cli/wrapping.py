"""Long lines on a terminal: broken between words, so that a table's last column stays a column."""

import re
import shutil
import textwrap
from typing import TextIO

_MIN_WIDTH = 24
"""A column that is narrower than this is not wrapped."""

_SPACE = "\0"
"""Stands for a space that no line ends at."""


def width_of(stream: TextIO) -> int | None:
    """Return the characters of a line on a terminal; None where a stream is none."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else None


def for_stream(text: str, stream: TextIO) -> str:
    """Return a text as a stream shows it best: wrapped on a terminal, as it is anywhere else."""
    width = width_of(stream)
    return text if width is None else "\n".join(wrapped(line, width) for line in text.split("\n"))


def wrapped(line: str, width: int) -> str:
    """Return a line in lines of at most this width; the later ones begin below the line's last column.

    Commands in backticks stay whole, and so does every word. A last column that has no room stands on the next line.
    """
    if len(line) <= width:
        return line
    columns = [match.end() for match in re.finditer(r"\S {2,}(?=\S)", line)]
    own_indent = len(line) - len(line.lstrip())
    if columns and width - columns[-1] < _MIN_WIDTH:
        last = wrapped(f"{' ' * (own_indent + 4)}{line[columns[-1] :]}", width)
        return f"{line[: columns[-1]].rstrip()}\n{last}"
    indent = columns[-1] if columns else own_indent + 2
    kept = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", _SPACE), line[indent if columns else 0 :])
    wrapper = textwrap.TextWrapper(width=width, break_long_words=False, break_on_hyphens=False)
    if columns:
        wrapper.initial_indent = wrapper.subsequent_indent = " " * indent
        rest = wrapper.fill(kept)[indent:]
        return (line[:indent] + rest).replace(_SPACE, " ")
    wrapper.subsequent_indent = " " * indent
    return wrapper.fill(kept).replace(_SPACE, " ")
