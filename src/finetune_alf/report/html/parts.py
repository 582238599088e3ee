"""What a page of HTML is made of: parts with chapters, and the names of its elements."""

import re
from dataclasses import dataclass

from finetune_alf.report.blocks import Block
from finetune_alf.report.html.card import Card


@dataclass(frozen=True)
class Pick:
    """A trial that can be picked."""

    number: int
    label: str


@dataclass(frozen=True)
class Chapter:
    """A part of a study or an experiment: what is shown at once, as a `pair` side by side, and what is folded below."""

    id: str
    title: str
    blocks: tuple[Block, ...] = ()
    folded: tuple[Block, ...] = ()
    folded_title: str = "The numbers, and how to read them"
    picks: tuple[Pick, ...] = ()
    pair: bool = False


@dataclass(frozen=True)
class PagePart:
    """A study, or a document of an experiment; `provenance` is what is folded at its end."""

    id: str
    title: str
    name: str = ""
    card: Card | None = None
    blocks: tuple[Block, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    provenance: tuple[Block, ...] = ()
    is_study: bool = False


class Ids:
    """Names for the elements of a page, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, text: str) -> str:
        """Return a name made of the letters and digits of a text."""
        stem = "-".join(re.findall("[a-z0-9]+", text.lower())) or "part"
        name, n = stem, 1
        while name in self._given:
            n += 1
            name = f"{stem}-{n}"
        self._given.add(name)
        return name


@dataclass(frozen=True)
class Outline:
    """The whole page; `ids` are the names that are given so far."""

    title: str
    parts: tuple[PagePart, ...]
    ids: Ids
