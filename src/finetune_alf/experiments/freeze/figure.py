"""Figures of freeze sweeps: scores by frozen layers, differences from the full model, scores against seconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.documents import Estimate
from finetune_alf.experiments.freeze.levels import FULL_MODEL
from finetune_alf.figures.line_points import Level, LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.scatter import ScatterStyle, Spot, scatter

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
    for sample, own in samples.items():
        levels = sorted({level for line in own.values() for level in line}, key=_n_frozen)
        rows = tuple((label, tuple(line.get(level) for level in levels)) for label, line in own.items())
        panels.append(LevelPanel(sample, tuple(levels), rows))
    return tuple(panels)


def scores_by_level(samples: Mapping[str, Mapping[str, Line]], name: str = "levels") -> Picture:
    """Draw each sample's scores against the number of frozen layers; dashed: the full model's mean."""
    panels = level_panels(samples)
    full = [
        Level(f"full model, {label}", own.mean, label, panel.sample)
        for panel in panels
        for label, estimates in panel.lines
        if (own := dict(zip(panel.levels, estimates, strict=True)).get(FULL_MODEL))
    ]
    style = _style(panels, "score, 95 % interval (dashed: full model)")
    return lines(list(_points(panels)), style, name, "Score by the number of frozen layers.", full)


def differences_by_level(samples: Mapping[str, Mapping[str, Line]], name: str = "differences") -> Picture:
    """Draw each encoder's differences from its full model against the number of frozen layers."""
    panels = level_panels(samples)
    style = _style(panels, "score minus the full model's, 95 % interval", form="+.3f")
    zero = [Level("the full model", 0.0, panel=panel.sample) for panel in panels]
    text = "Score minus the full model's by the number of frozen layers."
    return lines(list(_points(panels)), style, name, text, zero)


def score_against_seconds(
    samples: Mapping[str, Mapping[str, tuple[float, float]]],
    fronts: Mapping[str, Sequence[str]],
    name: str = "seconds",
) -> Picture:
    """Draw each level's (seconds, score) by sample; the Pareto fronts are filled, and joined by a line."""
    spots = [
        Spot(level, *point, panel=sample, is_filled=level in fronts.get(sample, ()))
        for sample, points in samples.items()
        for level, point in points.items()
    ]
    style = ScatterStyle(x="seconds of a fit (filled: Pareto-optimal)", y="score", has_names=True, has_front=True)
    return scatter(spots, style, name, "Score against the seconds of a fit, by the number of frozen layers.")


def _points(panels: Sequence[LevelPanel]) -> Iterator[LinePoint]:
    for panel in panels:
        for label, estimates in panel.lines:
            for level, estimate in zip(panel.levels, estimates, strict=True):
                if estimate:
                    yield LinePoint(label, level, estimate.mean, estimate.low, estimate.high, panel.sample)


def _style(panels: Sequence[LevelPanel], measure: str, form: str = ".3f") -> LinesStyle:
    levels = sorted({level for panel in panels for level in panel.levels}, key=_n_frozen)
    return LinesStyle(
        x="frozen layers (with the embeddings)",
        y=measure,
        x_scale="names",
        x_ticks=tuple(levels),
        intervals="bars",
        form=form,
    )


def _n_frozen(level: str) -> int:
    return -1 if level == FULL_MODEL else int(level)
