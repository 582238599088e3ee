"""What the page has, in its order: a part for each study, with its card and chapters, then those of the experiments."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from finetune_alf.register.recommend import SchemeDifferences
from finetune_alf.report.blocks import Block, Caution, Figure, Heading, Items, Paragraph, Table
from finetune_alf.report.html.card import Card, card
from finetune_alf.report.html.inline import words_of
from finetune_alf.report.importance import importance_section
from finetune_alf.report.load import StudyResults
from finetune_alf.report.numbers import score
from finetune_alf.report.part import Part
from finetune_alf.report.registered import registered_section
from finetune_alf.report.search import history_section, settings_section
from finetune_alf.report.section import Section
from finetune_alf.report.view import View
from finetune_alf.report.views import study_views

SEARCH, LAYERS = "search", "importance"
"""The views beside which a study has sentences and tables."""

CURVES = ("score_curves", "loss_curves")
"""The views that stand side by side, after all others."""


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
    """A study, or a document of an experiment."""

    id: str
    title: str
    name: str = ""
    card: Card | None = None
    blocks: tuple[Block, ...] = ()
    chapters: tuple[Chapter, ...] = ()
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
    """The whole page; `folder` is where its numbers come from, `ids` the names that are given so far."""

    title: str
    folder: str
    parts: tuple[PagePart, ...]
    ids: Ids


@dataclass(frozen=True)
class _Maker:
    ids: Ids = field(default_factory=Ids)

    def study(self, results: StudyResults, views: Sequence[View], tested: Mapping[str, SchemeDifferences]) -> PagePart:
        title = f"Study `{results.name}`"
        part_id = self.ids.new(f"study {results.name}")
        return PagePart(
            part_id,
            title,
            results.name,
            card(results, results.lock, tested) if results.lock else None,
            tuple(_missing(results)),
            tuple(self._chapters(results, views)),
            is_study=True,
        )

    def _chapters(self, results: StudyResults, views: Sequence[View]) -> Iterator[Chapter]:
        beside = _beside(results)
        for own in [(view,) for view in views if view.name not in CURVES]:
            yield self._chapter(results, own, beside)
        for name, text in beside.items():
            yield Chapter(self.ids.new(f"{results.name} {name}"), text.title, (*text.figures, *text.shown), text.folded)
        if curves := tuple(view for view in views if view.name in CURVES):
            yield self._chapter(results, curves, {})
        if results.lock:
            yield Chapter(
                self.ids.new(f"{results.name} tables"),
                "Comparisons and rates",
                folded=_without_figures(registered_section(results, results.lock)),
                folded_title="Tables of candidates, differences, rates and movements",
            )
        if results.search:
            yield Chapter(
                self.ids.new(f"{results.name} provenance"),
                "Provenance",
                folded=tuple(_provenance(results)),
                folded_title="Settings, digests, versions and machines",
            )

    def _chapter(self, results: StudyResults, views: Sequence[View], beside: dict[str, "_Beside"]) -> Chapter:
        texts = [beside.pop(view.name, _Beside()) for view in views]
        return Chapter(
            self.ids.new(f"{results.name} {views[0].name}"),
            views[0].title,
            (*(_figure(results, view) for view in views), *(block for text in texts for block in text.shown)),
            tuple(block for text in texts for block in text.folded),
            picks=_picks(results) if {SEARCH, *CURVES} & {view.name for view in views} else (),
            pair=len(views) > 1,
        )

    def experiment(self, part: Part) -> Iterator[PagePart]:
        """Yield what is below each heading of the second level, with the lines of the summary that name it."""
        lines = list(part.in_short)
        documents = list(_split(part.section.blocks, 2))
        for place, (heading, blocks) in enumerate(documents):
            title = heading.text if heading else "Results"
            is_last = place == len(documents) - 1
            own = [line for line in lines if is_last or any(name in line for name in re.findall("`[^`]+`", title))]
            lines = [line for line in lines if line not in own]
            yield self._document(title, own, blocks)

    def _document(self, title: str, in_short: Sequence[str], blocks: Sequence[Block]) -> PagePart:
        part_id, first, chapters = self.ids.new(words_of(title)), list[Block](), []
        if in_short:
            first.append(Items(tuple(in_short)))
        for heading, own in _split(blocks, 3):
            if heading:
                chapters.append(Chapter(self.ids.new(f"{part_id} {words_of(heading.text)}"), heading.text, tuple(own)))
            else:
                first += own
        return PagePart(part_id, title, blocks=tuple(first), chapters=tuple(chapters))


def outline(
    title: str, studies: Sequence[StudyResults], parts: Sequence[Part] = (), folder: str = "results"
) -> Outline:
    """Return the page's outline; `parts` are those of the experiments."""
    maker = _Maker()
    findings = {study: found for part in parts for study, found in part.findings.items()}
    views = {each.name: study_views(each, findings.get(each.name)) for each in studies}
    tested = {study: schemes for part in parts for study, schemes in part.tested.items()}
    of_studies = [maker.study(each, views[each.name], tested.get(each.name, {})) for each in studies]
    of_experiments = [page for part in parts for page in maker.experiment(part)]
    return Outline(title, folder, (*of_studies, *of_experiments), maker.ids)


def _figure(results: StudyResults, view: View) -> Figure:
    return Figure(f"{results.name}-{view.name}.png", view.caption, view.picture)


@dataclass(frozen=True)
class _Beside:
    """What stands beside a view, and the title and figures where there is no such view."""

    title: str = ""
    figures: tuple[Block, ...] = ()
    shown: tuple[Block, ...] = ()
    folded: tuple[Block, ...] = ()


def _beside(results: StudyResults) -> dict[str, _Beside]:
    """Return what stands beside the views of a study, by the view's name."""
    found: dict[str, _Beside] = {}
    if results.search:
        section = history_section(results, results.search)
        found[SEARCH] = _Beside("The search", _figures(section), _without_figures(section))
    if results.importance:
        section = importance_section(results, results.importance)
        blocks = _without_figures(section)
        shown = tuple(block for block in blocks if _is_finding(block))
        folded = tuple(block for block in blocks if not _is_finding(block))
        found[LAYERS] = _Beside("Which layers matter", _figures(section), shown, folded)
    return found


def _is_finding(block: Block) -> bool:
    return isinstance(block, Items | Caution) or (isinstance(block, Paragraph) and block.text.startswith("**"))


def _figures(section: Section) -> tuple[Block, ...]:
    return tuple(block for block in section.blocks if isinstance(block, Figure))


def _without_figures(section: Section) -> tuple[Block, ...]:
    return tuple(block for block in section.blocks if not isinstance(block, Figure))


def _missing(results: StudyResults) -> Iterator[Block]:
    """Yield what was not run yet, with the commands that run it."""
    stages = {"study": results.search, "importance": results.importance, "register": results.lock}
    commands = [f"`finetune-alf {stage} {results.name}`" for stage, found in stages.items() if found is None]
    if commands:
        yield Paragraph(f"Not run yet: {', '.join(commands)}.")


def _picks(results: StudyResults) -> tuple[Pick, ...]:
    trials = results.search.trials if results.search else ()
    return tuple(
        Pick(each.number, f"trial {each.number}: {score(each.score) if each.score is not None else each.state}")
        for each in trials
    )


def _provenance(results: StudyResults) -> Iterator[Block]:
    if results.search is None:
        return
    yield from settings_section(results.search).blocks
    digests = [
        ("study", f"`{results.search.settings.digest}`"),
        ("sample", f"`{results.search.settings.sample.digest}`"),
    ]
    locked = results.lock.schedules if results.lock else {}
    digests += [(f"schedule `{alias}`", f"`{each.digest}`") for alias, each in locked.items()]
    yield Paragraph("**Digests**")
    yield Table(("what", "digest"), digests)


def _split(blocks: Sequence[Block], level: int) -> Iterator[tuple[Heading | None, list[Block]]]:
    """Yield each heading of a level with the blocks below it, after those that have none."""
    heading, own = None, list[Block]()
    for block in blocks:
        if isinstance(block, Heading) and block.level == level:
            if heading or own:
                yield heading, own
            heading, own = block, []
        else:
            own.append(block)
    if heading or own:
        yield heading, own
