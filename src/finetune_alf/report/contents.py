"""What the page is made of, read and drawn once: studies with their pictures, and the parts of experiments."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from finetune_alf.figures.picture import Picture
from finetune_alf.figures.series import alike
from finetune_alf.paths import Paths
from finetune_alf.report.blocks import Figure
from finetune_alf.report.load import StudyResults, load_results
from finetune_alf.report.part import MakePart, Part, read_parts
from finetune_alf.report.section import Section
from finetune_alf.report.view import View
from finetune_alf.report.views import study_views


@dataclass(frozen=True)
class Contents:
    """Studies, parts, and the pictures of each study by its name; a scheme looks the same in all pictures."""

    studies: tuple[StudyResults, ...]
    parts: tuple[Part, ...]
    views: Mapping[str, tuple[View, ...]]


def read_contents(paths: Paths, parts: Iterable[MakePart] = ()) -> Contents:
    """Read all results; InputError names a broken file."""
    return contents_of(load_results(paths), read_parts(paths, parts))


def contents_of(studies: Iterable[StudyResults], parts: Iterable[Part] = ()) -> Contents:
    """Draw the pictures of the studies; those of the parts are drawn, and get the same looks."""
    studies, parts = tuple(studies), tuple(parts)
    findings = {study: found for part in parts for study, found in part.findings.items()}
    views = {each.name: tuple(study_views(each, findings.get(each.name))) for each in studies}
    drawn = [view.picture for own in views.values() for view in own]
    restyled = iter(alike([*drawn, *_pictures(parts)]))
    shown = {name: tuple(replace(view, picture=next(restyled)) for view in own) for name, own in views.items()}
    return Contents(studies, tuple(_with_pictures(part, restyled) for part in parts), shown)


def _pictures(parts: Sequence[Part]) -> Iterator[Picture]:
    for part in parts:
        for document in part.documents:
            yield from (block.picture for block in document.section.blocks if isinstance(block, Figure))


def _with_pictures(part: Part, pictures: Iterator[Picture]) -> Part:
    """Return the part with the next pictures instead of its own."""
    documents = []
    for document in part.documents:
        section = Section()
        section.blocks = [
            replace(block, picture=next(pictures)) if isinstance(block, Figure) else block
            for block in document.section.blocks
        ]
        documents.append(replace(document, section=section))
    return replace(part, documents=tuple(documents))
