"""A freeze sweep: scores by how much is frozen, encoders beside each other, and what each level costs."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import GREY, StyledFigure, color, marker, styled_figure

N_COLUMNS = 5
DODGE = 0.1
_FULL = "none"

Ends = Mapping[str, float]
Line = Mapping[str, Ends | None]
"""Level -> mean, low and high; None where nothing was scored."""


@dataclass(frozen=True)
class LevelPanel:
    """One sample's lines over the levels, from the least frozen up; `levels` are their names on the axis."""

    sample: str
    levels: tuple[str, ...]
    lines: tuple[tuple[str, tuple[tuple[float, float, float] | None, ...]], ...]


def level_panels(samples: Mapping[str, Mapping[str, Line]]) -> tuple[LevelPanel, ...]:
    """Sort `{sample: {line: {level: {mean, low, high}}}}` into panels; a level of any line has a place on the axis."""
    panels = []
    for sample, lines in samples.items():
        levels = sorted({level for line in lines.values() for level in line}, key=_height)
        drawn = tuple((label, tuple(_ends(line.get(level)) for level in levels)) for label, line in lines.items())
        panels.append(LevelPanel(sample, tuple(levels), drawn))
    return tuple(panels)


def scores_by_level(samples: Mapping[str, Mapping[str, Line]]) -> bytes:
    """Draw each sample's metrics against the number of frozen layers; dashed: the full model's mean."""
    return _draw(level_panels(samples), "score, 95 % interval (dashed: all layers learn)", to_full=True)


def relative_by_level(samples: Mapping[str, Mapping[str, Line]]) -> bytes:
    """Draw each encoder's score minus that of its full model, so that all of them meet at zero."""
    return _draw(level_panels(samples), "score minus the full model's, 95 % interval", to_full=False)


def score_against_seconds(
    samples: Mapping[str, Mapping[str, tuple[float, float]]], fronts: Mapping[str, Sequence[str]]
) -> bytes:
    """Draw each level's (seconds, score), by the level's name; those that no other one beats are joined by a line."""
    with _panels(max(len(samples), 1)) as drawing:
        for axes, (sample, points) in zip(drawing.axes, samples.items(), strict=False):
            front = sorted(points[level] for level in fronts.get(sample, ()) if level in points)
            axes.step([x for x, _ in front], [y for _, y in front], where="post", color=GREY, linewidth=1)
            for level, (seconds, score) in points.items():
                is_in_front = level in fronts.get(sample, ())
                axes.plot([seconds], [score], "o", color=color(0), fillstyle="full" if is_in_front else "none")
                axes.annotate(level, (seconds, score), textcoords="offset points", xytext=(4, 4), fontsize=8)
            axes.set_title(sample)
            axes.set_xlim(left=0)
        drawing.figure.supxlabel("seconds of a fit (filled: no other level is quicker and as good)")
        drawing.figure.supylabel("score")
        return drawing.png()


def _draw(panels: Sequence[LevelPanel], measure: str, *, to_full: bool) -> bytes:
    labels = list(dict.fromkeys(label for panel in panels for label, _ in panel.lines))
    with _panels(max(len(panels), 1)) as drawing:
        for axes, panel in zip(drawing.axes, panels, strict=False):
            _draw_panel(axes, panel, labels, to_full=to_full)
        drawing.figure.supxlabel("frozen layers, embeddings with them")
        drawing.figure.supylabel(measure)
        if len(labels) > 1:
            handles = {label: handle for axes in drawing.axes for handle, label in zip(*_legend(axes), strict=True)}
            drawing.figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=6)
        return drawing.png()


def _draw_panel(axes: Any, panel: LevelPanel, labels: Sequence[str], *, to_full: bool) -> None:
    for number, (label, intervals) in enumerate(panel.lines):
        style = {"color": color(labels.index(label)), "marker": marker(labels.index(label)), "markersize": 5}
        aside = DODGE * (number - (len(panel.lines) - 1) / 2)  # so that no interval hides another
        shown = [(place + aside, *ends) for place, ends in enumerate(intervals) if ends is not None]
        places, means = [place for place, *_ in shown], [mean for _, mean, _, _ in shown]
        axes.plot(places, means, label=label, **style)
        axes.vlines(places, [low for *_, low, _ in shown], [high for *_, high in shown], color=style["color"])
        full = intervals[panel.levels.index(_FULL)] if _FULL in panel.levels else None
        if to_full and full is not None:
            axes.axhline(full[0], color=style["color"], linestyle="--", linewidth=1)
    if not to_full:
        axes.axhline(0, color=GREY, linewidth=1)
    axes.set_xticks(range(len(panel.levels)), panel.levels)
    axes.set_title(panel.sample)


def _panels(n_panels: int) -> AbstractContextManager[StyledFigure]:
    columns = min(n_panels, N_COLUMNS)
    n_rows = -(-n_panels // columns)
    return styled_figure(max(5.0, 1.2 + 2.5 * columns), 1.2 + 2.6 * n_rows, n_panels, n_columns=columns)


def _legend(axes: Any) -> tuple[list[Any], list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list(handles), list(labels)


def _height(level: str) -> int:
    return -1 if level == _FULL else int(level)


def _ends(own: Ends | None) -> tuple[float, float, float] | None:
    return None if own is None else (float(own["mean"]), float(own["low"]), float(own["high"]))
