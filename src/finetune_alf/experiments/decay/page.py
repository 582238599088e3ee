"""Decay grids on the page: test errors by rate and factor, and the published ones."""

from collections.abc import Iterator

from finetune_alf.experiments.decay.document import DecayDocument, PairResult
from finetune_alf.experiments.decay.family import DESCRIBED
from finetune_alf.experiments.decay.figure import decay_plot
from finetune_alf.experiments.decay.published import TABLE
from finetune_alf.paths import Paths
from finetune_alf.report.environments import environment_line
from finetune_alf.report.evidence import few_seeds, how_to_read, p_cell, verdict_cell
from finetune_alf.report.numbers import NONE, counted, duration, error_estimate, rate, score, signed_estimate
from finetune_alf.report.part import DocumentPart, Part, part_of_each
from finetune_alf.report.section import Section


def decay_part(paths: Paths) -> Part | None:
    """Return the grids that have run, one after another."""
    return part_of_each(paths.experiment("decay"), DecayDocument, _document_part)


def _document_part(grid: DecayDocument) -> DocumentPart:
    return DocumentPart(f"Layer-wise decay `{grid.name}`", _section(grid), (_summary(grid),))


def _section(grid: DecayDocument) -> Section:
    section, sample, recipe = Section(), grid.sample, grid.recipe
    has_no_decay = any(pair.factor == 1 for pair in grid.pairs)
    differences = " Differences are from a factor of 1 at the same rate." if has_no_decay else ""
    section.text(
        f"`{grid.encoder.name}` is fine-tuned on {sample.n_train:,} texts of `{sample.name}` for "
        f"{counted(recipe.epochs, 'epoch')} with batches of {recipe.batch}, under {counted(grid.n_seeds, 'seed')} for "
        "each rate and factor. The top layer has the rate, each layer below the factor times the rate above it. "
        f"Errors are on {sample.n_test:,} test texts; predicting the most frequent class for all has "
        f"{score(sample.majority_error)}.{differences}"
    )
    section.text(environment_line(grid.environments))
    section.table(_header(grid), [_row(grid, pair) for pair in grid.pairs])
    section.figure(
        f"{grid.name}-decay.png",
        f"Test error of {grid.encoder.name} on {sample.name} by decay factor, a line for each rate",
        decay_plot(grid),
    )
    section.text(*_notes(grid))
    if _has_published(grid):
        section.text(
            f"Published: {TABLE}, BERT-base on IMDb. They are single numbers, without seeds or intervals, "
            "and differ by at most .25 points."
        )
    return section


def _has_published(grid: DecayDocument) -> bool:
    return any(pair.published_error is not None for pair in grid.pairs)


def _header(grid: DecayDocument) -> tuple[str, ...]:
    own = ("rate", "factor", "test error", "difference in accuracy", "p, corrected", "verdict", "time of a fit")
    return (*own, "published error") if _has_published(grid) else own


def _row(grid: DecayDocument, pair: PairResult) -> list[str]:
    difference = pair.difference
    cells = [
        rate(pair.rate),
        f"{pair.factor:g}",
        "diverged" if pair.accuracy is None else error_estimate(pair.accuracy),
        NONE if difference is None else signed_estimate(difference.mean, difference.low, difference.high),
        NONE if difference is None else p_cell(difference.p_holm),
        NONE if difference is None else verdict_cell(difference.verdict),
        duration(pair.seconds),
    ]
    if _has_published(grid):
        cells.append(NONE if pair.published_error is None else f"{pair.published_error:.4f}".removeprefix("0"))
    return cells


def _notes(grid: DecayDocument) -> Iterator[str | None]:
    stopped = [pair for pair in grid.pairs if pair.n_diverged]
    if diverged := [
        f"{rate(pair.rate)} with factor {pair.factor:g}, {counted(pair.n_diverged, 'fit')}" for pair in stopped
    ]:
        yield f"Diverged, and left out: {'; '.join(diverged)}."
    differences = [pair.difference for pair in grid.pairs if pair.difference]
    yield how_to_read(DESCRIBED, differences, grid.n_seeds) if differences else few_seeds(grid.n_seeds)


def _summary(grid: DecayDocument) -> str:
    scored = [(pair.accuracy, pair) for pair in grid.pairs if pair.accuracy]
    if not scored:
        return f"Layer-wise decay `{grid.name}`: every fit diverged."
    accuracy, best = max(scored, key=lambda each: each[0].mean)
    differences = [pair.difference for pair in grid.pairs if pair.difference]
    verdicts = [found.verdict for found in differences if found.p_holm is not None]
    tested = (
        f" Of {counted(len(verdicts), 'factor')} tested against no decay, {verdicts.count('better')} better and "
        f"{verdicts.count('worse')} worse."
    )
    return (
        f"Layer-wise decay `{grid.name}` on `{grid.sample.name}`: lowest test error {error_estimate(accuracy)}, rate "
        f"{rate(best.rate)} with factor {best.factor:g}.{tested if verdicts else ''}"
    )
