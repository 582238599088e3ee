"""A multi-task experiment: each cell's overall score by epoch, and against the time of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.experiments.multitask.cells import MultitaskLine
from finetune_alf.experiments.multitask.document import MultitaskDocument
from finetune_alf.figures.style import COLORS, StyledFigure, color, marker, styled_figure


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


def multitask_plot(document: MultitaskDocument, lines: Sequence[MultitaskLine]) -> bytes:
    """Draw validation scores by epoch (left), and the kept epoch's score with its interval against seconds (right)."""
    info = multitask_info(document, lines)
    with styled_figure(9.0, 3.8, n_axes=2) as drawing:
        for index, series in enumerate(info):
            _draw(drawing, index, series)
        left, right = drawing.axes
        left.set(xlabel="epoch", ylabel="overall score", title="validation")
        left.xaxis.get_major_locator().set_params(integer=True)
        right.set(xlabel="seconds of a fit", title=f"{document.score_on}, 95 % interval")
        right.set_xlim(0, 1.1 * max(series.seconds or 0.0 for series in info) or 1.0)
        drawing.figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return drawing.png()


def _draw(drawing: StyledFigure, index: int, series: CellSeries) -> None:
    left, right = drawing.axes
    style: dict[str, Any] = {"color": color(index), "marker": marker(index), "markersize": 4}
    if index >= len(COLORS):
        style |= {"linestyle": "--", "fillstyle": "none"}  # colours and markers begin again
    scores = [float("nan") if score is None else score for score in series.by_epoch]
    left.plot(range(1, len(scores) + 1), scores, **style, label=series.name)
    if series.score is not None and series.seconds is not None:
        right.plot([series.seconds] * 2, [series.score.low, series.score.high], color=color(index), linewidth=2)
        right.plot([series.seconds], [series.score.mean], **(style | {"markersize": 7}))


def _means(by_seed: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    by_epoch = zip(*by_seed, strict=False)
    return tuple(None if None in scores else sum(map(float, scores)) / len(scores) for scores in by_epoch)
