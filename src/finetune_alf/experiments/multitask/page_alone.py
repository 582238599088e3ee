"""Each task by itself beside the same task learned with others, where both have run."""

from collections.abc import Iterator, Sequence

from finetune_alf.experiments.multitask.document import CellScores, MultitaskDocument
from finetune_alf.report.numbers import estimate
from finetune_alf.report.search import words
from finetune_alf.report.section import Section

PAIR = tuple[MultitaskDocument, MultitaskDocument]
"""An experiment on several tasks, and one on a single task of them."""


def alone_section(experiments: Sequence[MultitaskDocument]) -> Section:
    """Return the table of single tasks; an empty section where no task has run both alone and with others."""
    section, rows = Section(), [row for pair in _pairs(experiments) for row in _rows(*pair)]
    if rows:
        section.heading(3, "One task alone")
        section.table(("task", "cell", "experiments", "alone", "with the others"), rows)
        section.text(
            "The same cell fitted on one task by itself: does learning the tasks together help? These are estimates "
            "side by side, not a comparison on the same fits: overlapping intervals say little either way."
        )
    return section


def _pairs(experiments: Sequence[MultitaskDocument]) -> Iterator[PAIR]:
    singles = [each for each in experiments if len(each.metrics) == 1]
    for several in experiments:
        if len(several.metrics) > 1:
            yield from ((several, single) for single in singles if _is_control(several, single))


def _is_control(several: MultitaskDocument, single: MultitaskDocument) -> bool:
    """Return whether a single task is one of several, by the same metric, encoder and split."""
    same = (several.encoder, several.score_on) == (single.encoder, single.score_on)
    return same and single.metrics.items() <= several.metrics.items()


def _rows(several: MultitaskDocument, single: MultitaskDocument) -> Iterator[list[str]]:
    [(task, metric)] = single.metrics.items()
    for name, cell in single.cells.items():
        together = several.cells.get(name)
        if cell.scores and together and together.scores:
            both = (_score(cell.scores, task), _score(together.scores, task))
            yield [f"{task}, {words(metric)}", f"`{name}`", f"`{single.name}`, `{several.name}`", *both]


def _score(scores: CellScores, task: str) -> str:
    return estimate(scores.tasks[task])
