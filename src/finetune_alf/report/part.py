"""The part of the page that an experiment adds, and how its documents are read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from finetune_alf.documents import Document, Estimate
from finetune_alf.paths import Paths
from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.section import Section
from finetune_alf.report.views import TransferFindings

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class DocumentPart:
    """What the page says of a document: its title, its section, and its lines for the summary at the top.

    `runs` are the keys of its parent runs in MLflow, without the project, and `versions` what it registered there:
    model and version.
    """

    title: str
    section: Section
    in_short: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    versions: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class SavedClassifier:
    """The classifier of a study that is saved: its scheme, and its score on the test texts."""

    scheme: str
    score: Estimate


@dataclass(frozen=True)
class Part:
    """A part of the page: that of an experiment, document by document.

    `tested` has the schemes that it compared on the test texts of a study's own sample, by study: what to use there is
    decided by them. `findings` has what the pictures of a study show of it, and `classifiers` what is saved for use, by
    study.
    """

    documents: tuple[DocumentPart, ...]
    tested: Mapping[str, Mapping[str, SchemeDifferences]] = field(default_factory=dict)
    findings: Mapping[str, TransferFindings] = field(default_factory=dict)
    classifiers: Mapping[str, SavedClassifier] = field(default_factory=dict)

    @property
    def in_short(self) -> tuple[str, ...]:
        """The lines for the summary."""
        return tuple(line for document in self.documents for line in document.in_short)

    @property
    def section(self) -> Section:
        """All documents, each below its title."""
        section = Section()
        for document in self.documents:
            section.heading(2, document.title)
            section.append(document.section)
        return section


MakePart = Callable[[Paths], Part | None]
"""Reads an experiment's documents into its part; None where it has not run."""


def read_parts(paths: Paths, parts: Iterable[MakePart]) -> list[Part]:
    """Return the parts of the experiments that have run; InputError names a broken file."""
    return [part for make in parts if (part := make(paths))]


def documents(folder: Path, kind: type[D]) -> Iterator[D]:
    """Yield the documents of a stage's folder by name; InputError names a broken file."""
    for path in document_files(folder):
        yield kind.read(path)


def document_files(folder: Path) -> list[Path]:
    """Return the files of the documents of a stage's folder by name."""
    return sorted(folder.glob("[!.]*.json"))


def part_of_each(folder: Path, kind: type[D], part_of: Callable[[D], DocumentPart]) -> Part | None:
    """Return a part with a section for each document of a stage's folder; None where there is none.

    The parent run of a document has the names of folder and file as its key.
    """
    found = tuple(
        replace(part_of(kind.read(path)), runs=(f"{folder.name}/{path.stem}",)) for path in document_files(folder)
    )
    return Part(found) if found else None
