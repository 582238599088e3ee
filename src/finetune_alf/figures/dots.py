"""Dots by name: all values of each name in a row with their mean, in panels where there are some."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from finetune_alf.figures.layout import ROWS, axis_format, in_panels
from finetune_alf.figures.palette import BLUE, ORANGE
from finetune_alf.figures.picture import Picture

ROW = 22
"""The height of a row in pixels."""


@dataclass(frozen=True)
class Dot:
    """One of the values of a name."""

    label: str
    value: float
    panel: str = ""


def dots(values: Sequence[Dot], labels: Sequence[str], x: str, name: str, text: str) -> Picture:
    """Draw a row for each of `labels`; `text` says what the values are, `name` is that of the view."""
    import altair as alt

    scale = alt.Scale(domain=list(labels))
    base = alt.Chart().encode(y=alt.Y("label:N", title=None, scale=scale, axis=alt.Axis(grid=False)))
    axis = alt.Axis(tickCount=5, format=axis_format([("", [value.value for value in values])], ","))
    own = alt.X("value:Q", title=x, scale=alt.Scale(zero=False, padding=8), axis=axis)
    tooltip = [alt.Tooltip("label:N", title="of"), alt.Tooltip("value:Q", title=x, format=".3f")]
    layers = [
        base.mark_point(filled=True, size=40, opacity=0.5, color=BLUE).encode(x=own, tooltip=tooltip),
        base.mark_tick(thickness=2.5, size=16, opacity=1, color=ORANGE).encode(
            x=alt.X("mean(value):Q", title=x),
            tooltip=[tooltip[0], alt.Tooltip("mean(value):Q", title="mean", format=".3f")],
        ),
    ]
    rows = [vars(value) for value in values]
    chart = in_panels(alt, layers, rows, name, ROW * len(labels))
    return Picture.of(chart, f"{text} {dots_in_words(values)}", {ROWS: rows})


def dots_in_words(values: Sequence[Dot]) -> str:
    """Return mean, lowest and highest value of each name, by panel."""
    found: dict[str, dict[str, list[float]]] = {}
    for value in values:
        found.setdefault(value.panel, {}).setdefault(value.label, []).append(value.value)
    parts = []
    for panel, by_label in found.items():
        own = [f"{label} {fmean(each):.3f} ({min(each):.3f} to {max(each):.3f})" for label, each in by_label.items()]
        parts.append(f"{panel}: {'; '.join(own)}." if panel else f"{'; '.join(own)}.")
    return " ".join(parts) or "Nothing to show."
