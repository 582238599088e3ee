"""A multi-task experiment: each cell's overall score over the epochs, and against what its fit costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import COLORS, StyledFigure, color, marker, styled_figure


@dataclass(frozen=True)
class DrawnCell:
    """One cell: its score after each epoch, None where it has none, and its seconds with the final interval."""

    name: str
    by_epoch: tuple[float | None, ...]
    seconds: float | None
    score: tuple[float, float, float] | None


def cells_info(
    cells: Mapping[str, Mapping[str, Any]], epochs: Mapping[str, Sequence[Sequence[float | None]]]
) -> tuple[DrawnCell, ...]:
    """Sort cells, `{name: {seconds, overall: {mean, low, high}}}`, and each seed's scores by epoch into lines.

    A cell's line is the mean over its seeds, as far as all of them went.
    """
    return tuple(
        DrawnCell(name, _means(epochs.get(name, ())), one.get("seconds"), _ends(one.get("overall")))
        for name, one in cells.items()
    )


def scores_of_cells(
    cells: Mapping[str, Mapping[str, Any]], epochs: Mapping[str, Sequence[Sequence[float | None]]], split: str
) -> bytes:
    """Draw validation scores by epoch (left), and the kept epoch's score on a split against seconds (right)."""
    lines = cells_info(cells, epochs)
    with styled_figure(9.0, 3.8, n_axes=2) as drawing:
        for index, line in enumerate(lines):
            _draw(drawing, index, line)
        left, right = drawing.axes
        left.set(xlabel="epoch", ylabel="overall score", title="validation")
        left.xaxis.get_major_locator().set_params(integer=True)
        right.set(xlabel="seconds of a fit", title=f"{split}, 95 % interval")
        right.set_xlim(0, 1.1 * max((line.seconds or 0.0 for line in lines), default=0.0) or 1.0)
        drawing.figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return drawing.png()


def _draw(drawing: StyledFigure, index: int, line: DrawnCell) -> None:
    left, right = drawing.axes
    style: dict[str, Any] = {"color": color(index), "marker": marker(index), "markersize": 4}
    if index >= len(COLORS):
        style |= {"linestyle": "--", "fillstyle": "none"}  # colours and markers begin again
    scores = [float("nan") if score is None else score for score in line.by_epoch]
    left.plot(range(1, len(scores) + 1), scores, **style, label=line.name)
    if line.score is not None and line.seconds is not None:
        mean, low, high = line.score
        right.plot([line.seconds, line.seconds], [low, high], color=color(index), linewidth=2)
        right.plot([line.seconds], [mean], **(style | {"markersize": 7}))


def _means(by_seed: Sequence[Sequence[float | None]]) -> tuple[float | None, ...]:
    together = zip(*by_seed, strict=False)
    return tuple(None if None in scores else sum(map(float, scores)) / len(scores) for scores in together)


def _ends(overall: Mapping[str, float] | None) -> tuple[float, float, float] | None:
    return None if overall is None else (float(overall["mean"]), float(overall["low"]), float(overall["high"]))
