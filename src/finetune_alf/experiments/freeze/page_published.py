"""What Lee, Tang and Lin (2019) found, beside a sweep's own numbers."""

from collections.abc import Iterator
from statistics import fmean

from finetune_alf.experiments.freeze.document import FreezeDocument, LevelResult, SampleTable
from finetune_alf.experiments.freeze.published import HEAD_ONLY_FRAC, IMPROVEMENT, KEEP_FRAC, POINTS, is_of_task
from finetune_alf.report.numbers import signed_estimate
from finetune_alf.report.search import words


def operating_points_of_the_paper(sweep: FreezeDocument) -> Iterator[str]:
    """Yield how many layers keep most of the score in the paper, and a caution for another depth."""
    yield f"Lee, Tang and Lin (2019) keep {KEEP_FRAC:.0%} of the score, CoLA left out, with:"
    yield "; ".join(f"{point.layers} layers of {point.encoder}" for point in POINTS) + "."
    if sweep.encoder.n_layers not in {point.n_layers for point in POINTS}:
        yield (
            "Their encoders have other depths than this one, and they train on the whole training sets, so the numbers "
            "are not directly comparable."
        )


def head_only(sweep: FreezeDocument) -> str | None:
    """Return how much of the score the head alone keeps, here and in the paper; None without such scores."""
    kept = [
        points.head_only.mean / points.full_model.mean
        for points in (table.operating_points[table.metric] for table in sweep.samples.values())
        if points.head_only and points.full_model and points.full_model.mean > 0
    ]
    if not kept:
        return None
    return f"The head alone keeps {fmean(kept):.0%} of the score on average; in the paper, {HEAD_ONLY_FRAC:.0%}."


def improvement(sweep: FreezeDocument) -> Iterator[str]:
    """Yield the paper's task on which freezing helped, and our differences with as large a share of layers frozen."""
    tables = {name: table for name, table in sweep.samples.items() if is_of_task(name, IMPROVEMENT.task)}
    if tables:
        yield (
            f"On SST-2, {IMPROVEMENT.encoders} scored consistently higher in the paper with {IMPROVEMENT.least} to "
            f"{IMPROVEMENT.most} of {IMPROVEMENT.n_layers} layers frozen than with none (section 4.2)."
        )
    for name, table in tables.items():
        if found := "; ".join(_differences(sweep, table)):
            yield f"Here, with the same share of layers frozen, `{name}` by {words(table.metric)}: {found}."


def _differences(sweep: FreezeDocument, table: SampleTable) -> Iterator[str]:
    for level in table.levels.values():
        difference = level.differences.get(table.metric)
        if difference and _is_as_deep(level, sweep.encoder.n_layers):
            ends = signed_estimate(difference.mean, difference.low, difference.high)
            yield f"{level.n_frozen} of {sweep.encoder.n_layers} frozen {ends}"


def _is_as_deep(level: LevelResult, n_layers: int) -> bool:
    """Return whether the level freezes as large a share of the layers as the paper's improvement."""
    least, most = IMPROVEMENT.least * n_layers, IMPROVEMENT.most * n_layers
    return level.n_frozen is not None and least <= level.n_frozen * IMPROVEMENT.n_layers <= most
