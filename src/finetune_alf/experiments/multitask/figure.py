"""A multi-task experiment: each cell's overall score by epoch, and against the time of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.documents import Estimate
from finetune_alf.experiments.multitask.cells import MultitaskLine
from finetune_alf.experiments.multitask.document import MultitaskDocument
from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.scatter import ScatterStyle, Spot, scatter


@dataclass(frozen=True)
class CellSeries:
    """One cell: its mean validation score after each epoch, the seconds of a fit, and its score; None without one."""

    name: str
    by_epoch: tuple[float | None, ...]
    seconds: float | None
    score: Estimate | None


def multitask_info(document: MultitaskDocument, lines: Sequence[MultitaskLine]) -> tuple[CellSeries, ...]:
    """Return the series of each cell: means over its seeds, up to the last epoch that all of them have."""

    def series(name: str) -> CellSeries:
        scores = document.cells[name].scores
        by_seed = [[epoch.validation_score for epoch in line.epochs] for line in lines if line.cell == name]
        if scores is None:
            return CellSeries(name, _means(by_seed), None, None)
        return CellSeries(name, _means(by_seed), scores.seconds, scores.overall)

    return tuple(map(series, document.cells))


def epochs_plot(document: MultitaskDocument, records: Sequence[MultitaskLine]) -> Picture:
    """Draw the validation score of each cell by epoch."""
    points = [
        LinePoint(series.name, epoch, score)
        for series in multitask_info(document, records)
        for epoch, score in enumerate(series.by_epoch, start=1)
    ]
    style = LinesStyle(x="epoch", y="overall validation score")
    return lines(points, style, f"{document.name}-epochs", "Overall validation score of each cell by epoch.")


def seconds_plot(document: MultitaskDocument, records: Sequence[MultitaskLine]) -> Picture:
    """Draw the kept epoch's score of each cell with its interval against the seconds of a fit."""
    spots = [
        Spot(series.name, series.seconds, series.score.mean, series.score.low, series.score.high)
        for series in multitask_info(document, records)
        if series.score is not None and series.seconds is not None
    ]
    style = ScatterStyle(x="seconds of a fit", y=f"overall {document.score_on} score, 95 % interval")
    text = f"Overall {document.score_on} score of each cell against the seconds of a fit."
    return scatter(spots, style, f"{document.name}-seconds", text)


def _means(by_seed: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    by_epoch = zip(*by_seed, strict=False)
    return tuple(None if None in scores else sum(map(float, scores)) / len(scores) for scores in by_epoch)
