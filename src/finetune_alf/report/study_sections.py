"""The sections of a study: made once, for the page as Markdown and as HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from finetune_alf.report.blocks import Block, Caution, Items, Paragraph
from finetune_alf.report.importance import importance_section
from finetune_alf.report.load import StudyResults
from finetune_alf.report.provenance import provenance_section
from finetune_alf.report.registered import registered_section
from finetune_alf.report.search import history_section, settings_section
from finetune_alf.report.section import Section
from finetune_alf.report.view import View

SectionName = Literal["settings", "search", "importance", "schedules", "errors", "provenance"]

SHOWN: Mapping[SectionName, tuple[str, ...]] = {
    "search": ("search", "trials", "score_curves", "loss_curves"),
    "importance": ("importance",),
    "schedules": ("strip", "forest"),
    "errors": ("confusion", "agreement"),
}
"""Section -> the names of the views that belong to it."""


@dataclass(frozen=True)
class StudySection:
    """A section about a study: its views and its words; where its stage has not run, the command that runs it."""

    name: SectionName
    title: str
    views: tuple[View, ...] = ()
    blocks: tuple[Block, ...] = ()
    command: str = ""

    @property
    def findings(self) -> tuple[Block, ...]:
        """What is shown at once where the rest is folded."""
        return tuple(block for block in self.blocks if _is_finding(block))

    @property
    def details(self) -> tuple[Block, ...]:
        """The rest."""
        return tuple(block for block in self.blocks if not _is_finding(block))


def study_sections(results: StudyResults, views: Sequence[View], server: str | None = None) -> tuple[StudySection, ...]:
    """Return the sections about a study, in order, with its views.

    `server` is the address of MLflow's pages, where there is one.
    """
    by_name = {view.name: view for view in views}
    if results.importance and (results.importance.reason or results.importance.is_of_one):
        by_name.pop("importance", None)  # it stands in words
    return tuple(
        replace(section, views=tuple(by_name[name] for name in SHOWN.get(section.name, ()) if name in by_name))
        for section in _sections(results, by_name, server)
    )


def _sections(results: StudyResults, views: Mapping[str, View], server: str | None) -> Iterator[StudySection]:
    search, importance, lock = results.search, results.importance, results.lock
    yield _section(results, "settings", "What was run", "study", settings_section(search) if search else None)
    if search:
        yield _section(results, "search", "The search", "study", history_section(results, search))
    explained = importance_section(results, importance) if importance else None
    yield _section(results, "importance", "Which layers matter", "importance", explained)
    registered = registered_section(results, lock) if lock else None
    yield _section(results, "schedules", "Registered schedules", "register", registered)
    if any(name in views for name in SHOWN["errors"]):
        yield StudySection("errors", "Errors on test texts")
    if provenance := provenance_section(results, server).blocks:
        yield StudySection("provenance", "Provenance", blocks=tuple(provenance))


def _section(results: StudyResults, name: SectionName, title: str, stage: str, made: Section | None) -> StudySection:
    if made is None:
        return StudySection(name, title, command=f"finetune-alf {stage} {results.name}")
    return StudySection(name, title, blocks=tuple(made.blocks))


def _is_finding(block: Block) -> bool:
    return isinstance(block, Items | Caution) or (isinstance(block, Paragraph) and block.is_finding)
