"""The part of the page that an experiment adds, and how its documents are read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from finetune_alf.documents import Document
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.section import Section
from finetune_alf.report.views import TransferFindings

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Part:
    """A part of the page: its lines for the summary at the top, and all of it.

    `tested` has the schemes that it compared on the test texts of a study's own sample, by study: what to use there is
    decided by them. `findings` has what the pictures of a study show of it, by study.
    """

    in_short: tuple[str, ...]
    section: Section
    tested: Mapping[str, Mapping[str, SchemeDifferences]] = field(default_factory=dict)
    findings: Mapping[str, TransferFindings] = field(default_factory=dict)


MakePart = Callable[[Paths], Part | None]
"""Reads an experiment's documents into its part; None where it has not run."""


def documents(folder: Path, kind: type[D]) -> Iterator[D]:
    """Yield the documents of a stage's folder by name; InputError names a broken file."""
    for path in sorted(folder.glob("[!.]*.json")):
        yield kind.read(path)


def part_of_each(
    folder: Path, kind: type[D], section_of: Callable[[D], Section], in_short: Callable[[D], Iterable[str]]
) -> Part | None:
    """Return a part with a section for each document of a stage's folder; None where there is none."""
    found = tuple(documents(folder, kind))
    if not found:
        return None
    section = Section()
    for document in found:
        section.append(section_of(document))
    return Part(tuple(line for document in found for line in in_short(document)), section)
