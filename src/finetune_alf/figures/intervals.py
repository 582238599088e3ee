"""Points with intervals: a row for each name on an axis that all share, in panels where there are some."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.layout import ROWS, axis_format, color, has_panels, in_panels, shape, shown
from finetune_alf.figures.palette import GREY
from finetune_alf.figures.picture import Picture

ROW = 18
"""The height of a row in pixels."""

HALF_LINE = 7
"""How far a name of two lines is moved up in pixels, so that it is beside its row."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval, where it has one; a row has one point for each `series`."""

    label: str
    series: str
    mean: float
    low: float | None = None
    high: float | None = None
    panel: str = ""


@dataclass(frozen=True)
class Mark:
    """A vertical line at a value that the others are seen against."""

    label: str
    x: float
    panel: str = ""
    is_dotted: bool = False


@dataclass(frozen=True)
class IntervalsStyle:
    """How intervals are drawn: rows from the top down, lines below the title of the axis, a band within the margin."""

    x: str
    labels: tuple[str, ...]
    note: tuple[str, ...] = ()
    has_zero: bool = False
    margin: float | None = None
    shares_x: bool = True
    form: str = ".3f"


def intervals(
    rows: Sequence[Interval], style: IntervalsStyle, name: str, text: str, marks: Sequence[Mark] = ()
) -> Picture:
    """Draw a point with its interval for each row; `text` says what they are, `name` is that of the view."""
    import altair as alt

    series = list(dict.fromkeys(row.series for row in rows))
    panels = list(dict.fromkeys(row.panel for row in rows)) or [""]
    layers = [
        *_background(alt, style),
        _marks(alt),
        *_points(alt, rows, style, series, _form(rows, style, marks)),
    ]
    n_in_row = max(Counter((row.panel, row.label) for row in rows).values(), default=1)
    height = len(style.labels) * (8 + ROW * max(1.0, 0.6 * n_in_row))
    data = [*_rows(rows, style), *map(_mark_row, marks), *_background_rows(style, panels)]
    chart = in_panels(alt, layers, data, name, round(height), shares_x=style.shares_x)
    return Picture.of(chart, f"{text} {intervals_in_words(rows, style, marks)}", {ROWS: data})


def intervals_in_words(rows: Sequence[Interval], style: IntervalsStyle, marks: Sequence[Mark] = ()) -> str:
    """Return each mean with its interval, by panel."""
    by_panel: dict[str, list[str]] = {}
    for row in rows:
        names = row.label if row.series == row.label else f"{row.label}, {row.series}"
        by_panel.setdefault(row.panel, []).append(f"{names} {shown(row.mean, row.low, row.high, style.form)}")
    for mark in marks:
        by_panel.setdefault(mark.panel, []).append(f"{mark.label} {mark.x:{style.form}}")
    found = [f"{panel}: {'; '.join(own)}." if panel else f"{'; '.join(own)}." for panel, own in by_panel.items()]
    return " ".join(found) or "Nothing to show."


def _points(alt: Any, rows: Sequence[Interval], style: IntervalsStyle, series: Sequence[str], form: str) -> list[Any]:
    is_grouped = set(series) != {row.label for row in rows}
    is_side_by_side = len({(row.panel, row.label) for row in rows}) < len(rows)
    own_color, own_shape = (each(alt, "series", series, has_panels=has_panels(rows)) for each in (color, shape))
    if not is_grouped:
        own_color.legend = own_shape.legend = None
    base = alt.Chart().transform_filter("datum.kind == 'interval'")
    base = base.encode(
        y=_y(alt, style),
        color=own_color,
        tooltip=[
            *(["panel:N"] if has_panels(rows) else []),
            alt.Tooltip("label:N", title="row"),
            *(["series:N"] if is_grouped else []),
            alt.Tooltip("shown:N", title=style.x),
        ],
        **({"yOffset": alt.YOffset("place:Q", scale=alt.Scale(domain=[0, 1]))} if is_side_by_side else {}),
    )
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2)
    return [
        bars.encode(x=_x(alt, style, "low", form), x2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=_x(alt, style, "mean", form), shape=own_shape),
    ]


def _marks(alt: Any) -> Any:
    base = alt.Chart().transform_filter("datum.kind == 'mark'").mark_rule()
    dash = alt.condition("datum.is_dotted", alt.value([1, 3]), alt.value([5, 3]))
    tooltip = [alt.Tooltip("label:N", title="line"), alt.Tooltip("shown:N", title="at")]
    return base.encode(x="mean:Q", strokeDash=dash, tooltip=tooltip)


def _background(alt: Any, style: IntervalsStyle) -> list[Any]:
    base = alt.Chart()
    zero = base.transform_filter("datum.kind == 'zero'").mark_rule(strokeWidth=1.2).encode(x="mean:Q")
    margin = base.transform_filter("datum.kind == 'margin'").mark_rect(opacity=0.14, color=GREY)
    return [
        *([margin.encode(x="low:Q", x2="high:Q")] if style.margin is not None else []),
        *([zero] if style.has_zero else []),
    ]


def _background_rows(style: IntervalsStyle, panels: Sequence[str]) -> list[dict[str, Any]]:
    margin = style.margin or 0.0
    return [
        *({"kind": "margin", "panel": panel, "low": -margin, "high": margin} for panel in panels if style.margin),
        *({"kind": "zero", "panel": panel, "mean": 0.0} for panel in panels if style.has_zero),
    ]


def _rows(rows: Sequence[Interval], style: IntervalsStyle) -> Iterator[dict[str, Any]]:
    """Yield the rows of the chart; `place` is from 0 to 1 within the row, so that one point alone is in its middle."""
    totals = Counter((row.panel, row.label) for row in rows)
    step = 1 / max(totals.values(), default=1)
    done: Counter[tuple[str, str]] = Counter()
    for row in rows:
        key = (row.panel, row.label)
        place = 0.5 + step * (done[key] - (totals[key] - 1) / 2)
        done[key] += 1
        yield {
            "kind": "interval",
            **vars(row),
            "place": place,
            "shown": shown(row.mean, row.low, row.high, style.form),
        }


def _mark_row(mark: Mark) -> dict[str, Any]:
    own = {"kind": "mark", "panel": mark.panel, "label": mark.label, "mean": mark.x, "is_dotted": mark.is_dotted}
    return {**own, "shown": f"{mark.x:.3f}"}


def _y(alt: Any, style: IntervalsStyle) -> Any:
    scale = alt.Scale(domain=list(style.labels), paddingInner=0.25, paddingOuter=0.15)
    second = {"test": "indexof(datum.value, ', ') > 0", "value": -HALF_LINE}
    axis = alt.Axis(labelExpr="split(datum.label, ', ')", labelOffset={"condition": second, "value": 0})
    return alt.Y("label:N", title=None, scale=scale, axis=axis)


def _form(rows: Sequence[Interval], style: IntervalsStyle, marks: Sequence[Mark]) -> str:
    """Return the format of the numbers on the axis, or on those of all panels."""
    drawn = [
        *((row.panel, (row.mean, row.low, row.high)) for row in rows),
        *((mark.panel, (mark.x,)) for mark in marks),
    ]
    ends = [*([0.0] if style.has_zero else []), *([style.margin, -style.margin] if style.margin else [])]
    return axis_format(drawn, "+" if style.has_zero else "", is_shared=style.shares_x, ends=ends)


def _x(alt: Any, style: IntervalsStyle, field: str, form: str) -> Any:
    axis = alt.Axis(format=form, tickCount=5)
    title = [style.x, *style.note]
    return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, padding=8))
