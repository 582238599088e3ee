"""Points in a plane, each with its name, in panels where there are some."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.layout import ROWS, axis_format, color, has_panels, in_panels, shape, shown
from finetune_alf.figures.palette import BLUE
from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class Spot:
    """A point with the interval of its `y`; those that are not `is_filled` are hollow."""

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    panel: str = ""
    is_filled: bool = True


@dataclass(frozen=True)
class ScatterStyle:
    """How points are drawn: names beside them, or a colour and a shape for each; a line joins those that are filled."""

    x: str
    y: str
    has_names: bool = False
    has_front: bool = False
    height: int = 230
    form: str = ".3f"


def scatter(spots: Sequence[Spot], style: ScatterStyle, name: str, text: str) -> Picture:
    """Draw the points; `text` says what they are, `name` is that of the view."""
    import altair as alt

    labels = list(dict.fromkeys(spot.label for spot in spots))
    several = has_panels(spots)
    right = 1.12 * max((spot.x for spot in spots), default=1.0)
    form = axis_format([("", (spot.y, spot.low, spot.high)) for spot in spots], ",")
    base = alt.Chart().encode(
        x=alt.X(
            "x:Q", title=style.x, scale=alt.Scale(domain=[0, right], nice=False), axis=alt.Axis(grid=False, tickCount=6)
        ),
        y=alt.Y("y:Q", title=style.y, scale=alt.Scale(zero=False, padding=10), axis=alt.Axis(format=form)),
        tooltip=[
            alt.Tooltip("label:N", title="of"),
            alt.Tooltip("x:Q", title=style.x, format=",.4g"),
            alt.Tooltip("shown:N", title=style.y),
        ],
    )
    style_of = {} if style.has_names else _styles(alt, labels, several=several)
    colors_of = {key: value for key, value in style_of.items() if key == "color"} or {"color": alt.value(BLUE)}
    layers = [
        *_front(base, style),
        *_intervals(alt, base, style, spots, colors_of),
        base.mark_point(filled=True, size=70, opacity=1).transform_filter("datum.is_filled").encode(**colors_of, **{
            key: value for key, value in style_of.items() if key == "shape"}),
        base.mark_point(filled=False, size=60).transform_filter("!datum.is_filled").encode(**colors_of),
        *([base.mark_text(align="left", dx=6, dy=-7).encode(text="label:N")] if style.has_names else []),
    ]  # fmt: skip
    rows = [{**vars(spot), "shown": shown(spot.y, spot.low, spot.high, style.form)} for spot in spots]
    chart = in_panels(alt, layers, rows, name, style.height)
    return Picture.of(chart, f"{text} {scatter_in_words(spots, style)}", {ROWS: rows})


def scatter_in_words(spots: Sequence[Spot], style: ScatterStyle) -> str:
    """Return both values of each point, by panel."""
    by_panel: dict[str, list[str]] = {}
    for spot in spots:
        value = shown(spot.y, spot.low, spot.high, style.form)
        by_panel.setdefault(spot.panel, []).append(f"{spot.label} {value} at {spot.x:,.4g}")
    found = [f"{panel}: {'; '.join(own)}." if panel else f"{'; '.join(own)}." for panel, own in by_panel.items()]
    return " ".join(found) or "Nothing to show."


def _styles(alt: Any, labels: Sequence[str], *, several: bool) -> dict[str, Any]:
    kinds = {"color": color, "shape": shape}
    return {key: of(alt, "label", labels, has_panels=several) for key, of in kinds.items()}


def _front(base: Any, style: ScatterStyle) -> list[Any]:
    if not style.has_front:
        return []
    return [base.transform_filter("datum.is_filled").mark_line(interpolate="step-after", strokeWidth=1, opacity=0.6)]


def _intervals(alt: Any, base: Any, style: ScatterStyle, spots: Sequence[Spot], colors_of: dict[str, Any]) -> list[Any]:
    if all(spot.low is None for spot in spots):
        return []
    known = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2)
    return [known.encode(y=alt.Y("low:Q", title=style.y), y2="high:Q", **colors_of)]
