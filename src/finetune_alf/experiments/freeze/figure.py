"""Figures of freeze sweeps: scores by frozen layers, differences from the full model, scores against seconds."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.levels import FULL_MODEL
from finetune_alf.figures.style import GREY, StyledFigure, color, marker, styled_figure

N_COLUMNS = 5
DODGE = 0.1

Line = Mapping[str, Estimate | None]
"""Estimates by level; None where all fits diverged."""


@dataclass(frozen=True)
class LevelPanel:
    """One sample's lines over the levels on the axis, from the least frozen up."""

    sample: str
    levels: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Estimate | None, ...]], ...]


def level_panels(samples: Mapping[str, Mapping[str, Line]]) -> tuple[LevelPanel, ...]:
    """Return a panel for each of `{sample: {label: line}}`; its axis has the levels of all lines."""
    panels = []
    for sample, lines in samples.items():
        levels = sorted({level for line in lines.values() for level in line}, key=_n_frozen)
        rows = tuple((label, tuple(line.get(level) for level in levels)) for label, line in lines.items())
        panels.append(LevelPanel(sample, tuple(levels), rows))
    return tuple(panels)


def scores_by_level(samples: Mapping[str, Mapping[str, Line]]) -> bytes:
    """Draw each sample's scores against the number of frozen layers; dashed: the full model's mean."""
    return _draw(level_panels(samples), "score, 95 % interval (dashed: full model)", is_difference=False)


def differences_by_level(samples: Mapping[str, Mapping[str, Line]]) -> bytes:
    """Draw each encoder's differences from its full model against the number of frozen layers."""
    return _draw(level_panels(samples), "score minus the full model's, 95 % interval", is_difference=True)


def score_against_seconds(
    samples: Mapping[str, Mapping[str, tuple[float, float]]], fronts: Mapping[str, Sequence[str]]
) -> bytes:
    """Draw each level's (seconds, score) by sample; the Pareto fronts are filled, and joined by a line."""
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
        drawing.figure.supxlabel("seconds of a fit (filled: Pareto-optimal)")
        drawing.figure.supylabel("score")
        return drawing.png()


def _draw(panels: Sequence[LevelPanel], measure: str, *, is_difference: bool) -> bytes:
    labels = list(dict.fromkeys(label for panel in panels for label, _ in panel.lines))
    with _panels(max(len(panels), 1)) as drawing:
        for axes, panel in zip(drawing.axes, panels, strict=False):
            _draw_panel(axes, panel, labels, is_difference=is_difference)
        drawing.figure.supxlabel("frozen layers (with the embeddings)")
        drawing.figure.supylabel(measure)
        if len(labels) > 1:
            handles = {label: handle for axes in drawing.axes for handle, label in zip(*_legend(axes), strict=True)}
            drawing.figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=6)
        return drawing.png()


def _draw_panel(axes: Any, panel: LevelPanel, labels: Sequence[str], *, is_difference: bool) -> None:
    for number, (label, estimates) in enumerate(panel.lines):
        style = {"color": color(labels.index(label)), "marker": marker(labels.index(label)), "markersize": 5}
        offset = DODGE * (number - (len(panel.lines) - 1) / 2)  # so that no interval hides another
        shown = {x + offset: estimate for x, estimate in enumerate(estimates) if estimate}
        axes.plot(list(shown), [estimate.mean for estimate in shown.values()], label=label, **style)
        lows, highs = [estimate.low for estimate in shown.values()], [estimate.high for estimate in shown.values()]
        axes.vlines(list(shown), lows, highs, color=style["color"])
        full = estimates[panel.levels.index(FULL_MODEL)] if FULL_MODEL in panel.levels else None
        if full and not is_difference:
            axes.axhline(full.mean, color=style["color"], linestyle="--", linewidth=1)
    if is_difference:
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


def _n_frozen(level: str) -> int:
    return -1 if level == FULL_MODEL else int(level)
