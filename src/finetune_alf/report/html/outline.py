"""What the page has, in its order: a part for each study, with its card and chapters, then those of the experiments."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.blocks import Block, Heading, Items, Paragraph
from finetune_alf.report.contents import Contents
from finetune_alf.report.html.card import card
from finetune_alf.report.html.inline import words_of
from finetune_alf.report.html.parts import Chapter, Ids, Outline, PagePart, Pick
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import score
from finetune_alf.report.part import DocumentPart, SavedClassifier
from finetune_alf.report.provenance import document_provenance
from finetune_alf.report.study_sections import StudySection, study_sections
from finetune_alf.report.view import View

CURVES = ("score_curves", "loss_curves")
"""The views that stand side by side, after all others."""

PICKED = ("search", *CURVES)
"""The views beside which a trial can be picked."""


@dataclass(frozen=True)
class _Maker:
    server: str | None
    ids: Ids = field(default_factory=Ids)

    def study(
        self,
        results: StudyResults,
        views: Sequence[View],
        tested: Mapping[str, SchemeDifferences],
        classifier: SavedClassifier | None,
    ) -> PagePart:
        part_id = self.ids.new(f"study {results.name}")
        sections: dict[str, StudySection] = {
            section.name: section for section in study_sections(results, views, self.server)
        }
        return PagePart(
            part_id,
            f"Study `{results.name}`",
            results.name,
            card(results, results.lock, tested, classifier) if results.lock else None,
            tuple(_missing(sections.values())),
            tuple(self._chapters(results, views, sections)),
            is_study=True,
        )

    def _chapters(
        self, results: StudyResults, views: Sequence[View], sections: Mapping[str, StudySection]
    ) -> Iterator[Chapter]:
        for view in views:
            if view.name not in CURVES:
                yield self._chapter(results, (view,), sections.get(view.name))
        if curves := tuple(view for view in views if view.name in CURVES):
            yield self._chapter(results, curves, None)
        if results.lock:
            yield Chapter(
                self.ids.new(f"{results.name} tables"),
                "Comparisons and rates",
                sections["schedules"].findings,
                sections["schedules"].details,
                "Tables of candidates, differences, rates and movements",
            )
        if provenance := sections.get("provenance"):
            yield Chapter(
                self.ids.new(f"{results.name} provenance"),
                "Provenance",
                folded=(*sections["settings"].blocks, *provenance.blocks),
                folded_title="Settings, digests, versions and machines",
            )

    def _chapter(self, results: StudyResults, views: Sequence[View], beside: StudySection | None) -> Chapter:
        drawn = [view for view in views if beside is None or view in beside.views]
        return Chapter(
            self.ids.new(f"{results.name} {views[0].name}"),
            views[0].title,
            (*(view.interactive_figure(results.name) for view in drawn), *(beside.findings if beside else ())),
            beside.details if beside else (),
            picks=_picks(results) if {view.name for view in views} & {*PICKED} else (),
            pair=len(views) > 1,
        )

    def document(self, document: DocumentPart) -> PagePart:
        """Return a part with a chapter for each heading of the third level, after what has none."""
        part_id, chapters = self.ids.new(words_of(document.title)), []
        first: list[Block] = [Items(document.in_short)] if document.in_short else []
        for heading, own in _split(document.section.blocks):
            if heading:
                chapters.append(Chapter(self.ids.new(f"{part_id} {words_of(heading.text)}"), heading.text, tuple(own)))
            else:
                first += own
        provenance = tuple(document_provenance(document, self.server).blocks)
        return PagePart(part_id, document.title, blocks=tuple(first), chapters=tuple(chapters), provenance=provenance)


def outline(title: str, contents: Contents, server: str | None = None) -> Outline:
    """Return the page's outline; `server` is the address of MLflow's pages."""
    maker = _Maker(server)
    views = contents.views
    tested = {study: schemes for part in contents.parts for study, schemes in part.tested.items()}
    saved = {study: classifier for part in contents.parts for study, classifier in part.classifiers.items()}
    of_studies = [
        maker.study(each, views[each.name], tested.get(each.name, {}), saved.get(each.name))
        for each in contents.studies
    ]
    of_experiments = [maker.document(document) for part in contents.parts for document in part.documents]
    return Outline(title, (*of_studies, *of_experiments), maker.ids)


def _missing(sections: Iterable[StudySection]) -> Iterator[Block]:
    """Yield what was not run yet, with the commands that run it."""
    commands = [f"`{section.command}`" for section in sections if section.command]
    if commands:
        yield Paragraph(f"Not run yet: {', '.join(commands)}.")


def _picks(results: StudyResults) -> tuple[Pick, ...]:
    trials = results.search.trials if results.search else ()
    return tuple(
        Pick(each.number, f"trial {each.number}: {score(each.score) if each.score is not None else each.state}")
        for each in trials
    )


def _split(blocks: Sequence[Block]) -> Iterator[tuple[Heading | None, list[Block]]]:
    """Yield each heading of the third level with the blocks below it, after those that have none."""
    heading, own = None, list[Block]()
    for block in blocks:
        if isinstance(block, Heading) and block.level == 3:
            if heading or own:
                yield heading, own
            heading, own = block, []
        else:
            own.append(block)
    if heading or own:
        yield heading, own
