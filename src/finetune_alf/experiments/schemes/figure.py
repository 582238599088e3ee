"""Each scheme's validation score with its interval, a panel a sample, adapters side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import GREY, color, marker, styled_figure

PUBLISHED = "published"

Ends = tuple[float, float, float]
"""Mean, low and high."""


@dataclass(frozen=True)
class SchemePoint:
    """One combination: its row, its adapter, its score and what was published; None where there is none."""

    row: int
    adapter: str
    score: Ends | None
    published: float | None


@dataclass(frozen=True)
class SchemesInfo:
    """What the figure shows: rows from the top down, adapters, and a panel of points a sample."""

    rows: tuple[str, ...]
    adapters: tuple[str, ...]
    panels: tuple[tuple[str, tuple[SchemePoint, ...]], ...]


def schemes_info(samples: Mapping[str, Sequence[Mapping[str, Any]]], metric: str = "accuracy") -> SchemesInfo:
    """Sort `{sample: [{scheme, adapter, curve, score: {mean, low, high}, published: {accuracy}}]}` into panels.

    What was published are accuracies: they have no place beside scores by another metric.
    """
    combinations = [one for rows in samples.values() for one in rows]
    labels = tuple(dict.fromkeys(map(_label, combinations)))
    adapters = tuple(dict.fromkeys(str(one["adapter"]) for one in combinations))
    panels = tuple(
        (sample, tuple(_point(one, labels.index(_label(one)), metric) for one in rows))
        for sample, rows in samples.items()
    )
    return SchemesInfo(labels, adapters, panels)


def schemes_plot(samples: Mapping[str, Sequence[Mapping[str, Any]]], metric: str = "accuracy") -> bytes:
    """Draw validation score by scheme, a panel a sample: a point with its 95 % interval for each adapter.

    Crosses are what was published. Points of one scheme with and without an adapter stand one below the other.
    """
    info = schemes_info(samples, metric)
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
        drawing.figure.supxlabel(f"validation {metric.replace('_', ' ')}, 95 % interval")
        return drawing.png()


def _draw(axes: Any, point: SchemePoint, adapter: int, n_adapters: int) -> None:
    height = point.row + 0.5 * (adapter - (n_adapters - 1) / 2) / max(n_adapters - 1, 1)
    label = "no adapter" if point.adapter == "none" else point.adapter
    if point.score is not None:
        mean, low, high = point.score
        axes.plot([low, high], [height, height], color=color(adapter), linewidth=2)
        axes.plot([mean], [height], marker(adapter), color=color(adapter), markersize=6, label=label)
    if point.published is not None:
        axes.plot([point.published], [height], "x", color=GREY, markersize=6, label=PUBLISHED)


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list(handles), list(labels)


def _label(one: Mapping[str, Any]) -> str:
    plain = one["curve"] == "constant"
    return str(one["scheme"]) if plain else f"{one['scheme']}, {str(one['curve']).replace('_', ' ')}"


def _point(one: Mapping[str, Any], row: int, metric: str) -> SchemePoint:
    score, published = one.get("score"), one.get("published") if metric == "accuracy" else None
    ends = None if score is None else (float(score["mean"]), float(score["low"]), float(score["high"]))
    return SchemePoint(row, str(one["adapter"]), ends, None if published is None else float(published["accuracy"]))
