"""The scores of a sweep by number of frozen layers, and their differences from the full model."""

from collections.abc import Callable, Iterator

from finetune_alf.comparison import ComparedDifference
from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.document import FreezeDocument, SampleTable
from finetune_alf.experiments.freeze.family import DESCRIBED
from finetune_alf.experiments.freeze.figure import Line, differences_by_level, scores_by_level
from finetune_alf.experiments.freeze.levels import FULL_MODEL
from finetune_alf.report.evidence import how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, estimate, p_value, score, signed_estimate
from finetune_alf.report.search import words
from finetune_alf.report.section import Section


def scores_and_differences(sweep: FreezeDocument) -> Section:
    """Return scores and differences, each as a figure and a table, with cautions."""
    section, tables = Section(), sweep.samples
    section.figure(
        f"{sweep.name}-levels.png",
        f"Scores of {sweep.name} by the number of frozen layers, with 95 % intervals",
        scores_by_level(
            {
                name: {words(metric): _scores(table, metric) for metric in table.sample.metrics}
                for name, table in tables.items()
            },
            f"{sweep.name}-levels",
        ),
    )
    levels = list(dict.fromkeys(level for table in tables.values() for level in table.levels))
    section.table(("sample", "metric", *map(_heading, levels)), _score_rows(sweep, levels))
    section.text(_diverged(sweep))
    section.figure(
        f"{sweep.name}-differences.png",
        f"Scores of {sweep.name} minus the full model's, by the number of frozen layers",
        differences_by_level(
            {table.title: {sweep.encoder.name: differences(table)} for table in tables.values()},
            f"{sweep.name}-differences",
        ),
    )
    frozen = [level for level in levels if level != FULL_MODEL]
    section.table(("sample", "metric", *map(_heading, frozen)), _difference_rows(sweep, frozen))
    section.append(_verdicts(sweep))
    return section


def differences(table: SampleTable) -> Line:
    """Return a sample's differences from the full model by level, by the metric that selected the rate."""
    return {name: level.differences[table.metric] for name, level in table.levels.items()}


def _scores(table: SampleTable, metric: str) -> Line:
    return {name: level.scores[metric] for name, level in table.levels.items()}


def _heading(level: str) -> str:
    return "full model" if level == FULL_MODEL else f"{level} frozen"


def _score_rows(sweep: FreezeDocument, levels: list[str]) -> Iterator[list[str]]:
    for name, table in sweep.samples.items():
        for metric in table.sample.metrics:
            scores = _scores(table, metric)
            yield [f"`{name}`", words(metric), *(_cell(scores.get(level), estimate) for level in levels)]


def _difference_rows(sweep: FreezeDocument, levels: list[str]) -> Iterator[list[str]]:
    for name, table in sweep.samples.items():
        for metric in table.sample.metrics:
            by_level = {level: result.differences[metric] for level, result in table.levels.items()}
            yield [f"`{name}`", words(metric), *(_cell(by_level.get(level), _signed) for level in levels)]


def _cell(value: Estimate | None, write: Callable[[Estimate], str]) -> str:
    return NONE if value is None else write(value)


def _signed(value: Estimate) -> str:
    return signed_estimate(value.mean, value.low, value.high)


def _diverged(sweep: FreezeDocument) -> str | None:
    diverged = [
        f"`{name}` with {level} frozen, {counted(result.n_diverged, 'fit')} of {result.n_seeds + result.n_diverged}"
        for name, table in sweep.samples.items()
        for level, result in table.levels.items()
        if result.n_diverged
    ]
    return f"Diverged, and left out of all means: {'; '.join(diverged)}." if diverged else None


def _verdicts(sweep: FreezeDocument) -> Section:
    """Return the table of the declared family, and how to read it."""
    section = Section()
    found = [
        (name, level, difference)
        for name, table in sweep.samples.items()
        for level, result in table.levels.items()
        if (difference := result.differences[table.metric]) and difference.verdict
    ]
    if found:
        section.table(
            ("sample", "frozen", "difference", "SD of seeds", "p", "p, corrected", "verdict"),
            [
                (
                    f"`{name}`",
                    level,
                    _signed(difference),
                    score(difference.sd_seeds),
                    p_value(difference.p),
                    p_cell(difference.p_holm),
                    verdict_cell(difference.verdict),
                )
                for name, level, difference in found
            ],
            "**Verdicts**, against the full model",
        )
    section.text(how_to_read(DESCRIBED, _all_differences(sweep), sweep.n_seeds))
    return section


def _all_differences(sweep: FreezeDocument) -> list[ComparedDifference]:
    levels = [level for table in sweep.samples.values() for name, level in table.levels.items() if name != FULL_MODEL]
    return [found for level in levels for found in level.differences.values() if found]
