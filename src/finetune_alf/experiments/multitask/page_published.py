"""The paper's numbers beside ours, development scores beside development scores."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from finetune_alf.experiments.multitask.cells import OVERALL, MultitaskLine
from finetune_alf.experiments.multitask.document import MultitaskDocument
from finetune_alf.experiments.multitask.published import PUBLISHED, REMARKS, TABLES
from finetune_alf.report.numbers import NONE, as_printed, score
from finetune_alf.report.section import Section


def published_section(document: MultitaskDocument, lines: Sequence[MultitaskLine]) -> Section:
    """Return the table of the cells that the paper has too, and what its text says of others."""
    section = Section()
    names = [name for name in document.cells if name in PUBLISHED]
    if names:
        title = f"**Results of the paper** (minBERT multi-task, {TABLES}) beside ours on the validation split"
        columns = (f"{what}, {whose}" for what in (OVERALL, *document.metrics) for whose in ("paper", "ours"))
        rows = [list(_row(document, name, [line for line in lines if line.cell == name])) for name in names]
        section.table(("cell", *columns, "parameters, paper"), rows, title)
    if remarks := [REMARKS[name] for name in document.cells if name in REMARKS]:
        section.text(*remarks)
    if names or remarks:
        section.text(
            "The paper fits BERT-base on all of the data. Its scores are on the split that chose the epoch, so they "
            "are optimistic; so are ours beside them, which are means over the seeds, of the epoch that was kept."
        )
    return section


def development_score(lines: Sequence[MultitaskLine], task: str | None = None) -> float | None:
    """Return the mean validation score of the kept epochs, overall or of a task; None where no fit has one."""
    kept = [epoch for line in lines for epoch in line.epochs if epoch.epoch == line.kept_epoch]
    scores = [epoch.validation_score if task is None else (epoch.tasks or {}).get(task) for epoch in kept]
    known = [each for each in scores if each is not None]
    return fmean(known) if known else None


def _row(document: MultitaskDocument, name: str, lines: Sequence[MultitaskLine]) -> Iterator[str]:
    published = PUBLISHED[name]
    yield f"`{name}`"
    yield from (as_printed(published.overall), score(development_score(lines)))
    for task in document.metrics:
        yield from (as_printed(published.of(task)), score(development_score(lines, task)))
    yield NONE if published.n_millions is None else f"{published.n_millions:.1f} M"
