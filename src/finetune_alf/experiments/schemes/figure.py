"""Each scheme's score with its interval, a panel for each sample, adapters side by side."""

from dataclasses import dataclass
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.experiments.schemes.combination import NO_ADAPTER
from finetune_alf.experiments.schemes.document import CombinationResult, SchemesDocument
from finetune_alf.figures.style import GREY, color, marker, styled_figure

PUBLISHED = "published"


@dataclass(frozen=True)
class SchemePoint:
    """One combination: its row, its adapter, its score and its published accuracy; None where there is none."""

    row: int
    adapter: str
    score: Estimate | None
    published: float | None


@dataclass(frozen=True)
class SchemesInfo:
    """What the figure shows: rows from the top down, adapters, and the points of each sample's panel."""

    rows: tuple[str, ...]
    adapters: tuple[str, ...]
    panels: tuple[tuple[str, tuple[SchemePoint, ...]], ...]


def schemes_info(testbed: SchemesDocument) -> SchemesInfo:
    """Sort a testbed's rows into panels; published accuracies are not shown with scores by another metric."""
    results = [row for table in testbed.samples.values() for row in table.combinations]
    labels = tuple(dict.fromkeys(map(_label, results)))
    adapters = tuple(dict.fromkeys(row.adapter for row in results))

    def point(result: CombinationResult) -> SchemePoint:
        published = result.published.accuracy if result.published and testbed.metric == "accuracy" else None
        return SchemePoint(labels.index(_label(result)), result.adapter, result.score, published)

    panels = tuple((name, tuple(map(point, table.combinations))) for name, table in testbed.samples.items())
    return SchemesInfo(labels, adapters, panels)


def schemes_plot(testbed: SchemesDocument) -> bytes:
    """Draw the score by scheme, a panel for each sample: a point with its 95 % interval for each adapter.

    Crosses are published accuracies. Points of one scheme with and without an adapter are drawn one below the other.
    """
    info = schemes_info(testbed)
    width, height = max(6.5, 2.2 + 2.9 * len(info.panels)), 1.7 + 0.42 * len(info.rows)
    with styled_figure(width, height, n_axes=max(len(info.panels), 1), share_y=True) as drawing:
        for axes, (sample, points) in zip(drawing.axes, info.panels, strict=False):
            for point in points:
                _draw(axes, point, info.adapters.index(point.adapter), len(info.adapters))
            axes.set_title(sample)
            axes.locator_params(axis="x", nbins=5)
            axes.grid(axis="y", visible=False)
        drawing.axes[0].set_yticks(range(len(info.rows)), info.rows)
        drawing.axes[0].invert_yaxis()
        handles = {name: handle for axes in drawing.axes for handle, name in zip(*_legend(axes), strict=True)}
        names = sorted(handles, key=lambda name: name == PUBLISHED)
        drawing.figure.legend([handles[name] for name in names], names, loc="outside upper center", ncols=4)
        drawing.figure.supxlabel(f"{testbed.score_on} {testbed.metric.replace('_', ' ')}, 95 % interval")
        return drawing.png()


def _draw(axes: Any, point: SchemePoint, adapter: int, n_adapters: int) -> None:
    height = point.row + 0.5 * (adapter - (n_adapters - 1) / 2) / max(n_adapters - 1, 1)
    label = "no adapter" if point.adapter == NO_ADAPTER else point.adapter
    if point.score is not None:
        axes.plot([point.score.low, point.score.high], [height, height], color=color(adapter), linewidth=2)
        axes.plot([point.score.mean], [height], marker(adapter), color=color(adapter), markersize=6, label=label)
    if point.published is not None:
        axes.plot([point.published], [height], "x", color=GREY, markersize=6, label=PUBLISHED)


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list(handles), list(labels)


def _label(result: CombinationResult) -> str:
    is_constant = result.curve == "constant"
    return result.scheme if is_constant else f"{result.scheme}, {result.curve.replace('_', ' ')}"
