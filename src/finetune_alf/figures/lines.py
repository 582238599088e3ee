"""Lines: a value against another one for each series, with intervals, in panels where there are some."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from finetune_alf.figures.layout import DASHES, ROWS, axis_format, color, has_panels, in_panels, legend, shape
from finetune_alf.figures.line_points import MOST_MARKS, Level, LinePoint, LinesStyle, chart_rows, lines_in_words
from finetune_alf.figures.palette import GREY
from finetune_alf.figures.picture import Picture


def lines(
    points: Sequence[LinePoint], style: LinesStyle, name: str, text: str, levels: Sequence[Level] = ()
) -> Picture:
    """Draw the points as lines; `text` says what they are, `name` is that of the view."""
    import altair as alt

    series = list(dict.fromkeys(point.series for point in points))
    rows = chart_rows(points, style, levels)
    several = has_panels(points)
    y = alt.Y(
        "y:Q", title=style.y_title, scale=alt.Scale(zero=style.is_zero_in_y), axis=_y_axis(alt, style, points, levels)
    )
    own = alt.Chart().transform_filter("datum.kind == 'point'").encode(x=_x(alt, style, points), y=y)
    own = own.encode(color=color(alt, "series", series, has_panels=several), tooltip=_tooltip(alt, style, points))
    layers = [
        *_diagonal(alt, style),
        *_level_layers(alt, style, levels, color(alt, "series", series, has_panels=several)),
        *_intervals(alt, own, style, points),
        own.mark_line(strokeWidth=1.8).encode(**_strokes(alt, points)),
        own.transform_filter("datum.is_marked").mark_point(filled=True, size=50, opacity=1)
        .encode(shape=shape(alt, "series", series, has_panels=several)),
        own.mark_point(size=200, opacity=0, filled=True),
    ]  # fmt: skip
    chart = in_panels(alt, layers, rows, name, style.height, shares_y=style.shares_y)
    return Picture.of(chart, f"{text} {lines_in_words(points, style, levels)}", {ROWS: rows})


def _diagonal(alt: Any, style: LinesStyle) -> list[Any]:
    if not style.diagonal:
        return []
    base = alt.Chart().transform_filter("datum.kind == 'diagonal'").mark_line(strokeDash=[4, 3], color=GREY)
    return [base.encode(x=_x(alt, style, ()), y=alt.Y("y:Q", title=style.y_title), tooltip="label:N")]


def _y_axis(alt: Any, style: LinesStyle, points: Sequence[LinePoint], levels: Sequence[Level]) -> Any:
    drawn = [
        *((point.panel, (point.y, point.low, point.high)) for point in points),
        *((level.panel, (level.y,)) for level in levels),
    ]
    sign, ends = "+" if style.form.startswith("+") else "", [0.0] if style.is_zero_in_y else []
    return alt.Axis(format=axis_format(drawn, sign, is_shared=style.shares_y, ends=ends))


def _x(alt: Any, style: LinesStyle, points: Sequence[LinePoint]) -> Any:
    if style.x_scale == "names":
        names = style.names
        axis = alt.Axis(values=list(range(len(names))), labelExpr=f"{json.dumps(names)}[datum.value]", grid=False)
        return alt.X("at:Q", title=style.x, axis=axis, scale=alt.Scale(domain=[-0.5, len(names) - 0.5], nice=False))
    if style.x_scale == "log":
        axis = alt.Axis(values=list(style.x_ticks), format=",d", grid=False)
        return alt.X("at:Q", title=style.x, axis=axis, scale=alt.Scale(type="log", nice=False, padding=16))
    whole = sorted({point.x for point in points if not isinstance(point.x, str)})
    few = len(whole) <= MOST_MARKS and all(float(x).is_integer() for x in whole)
    ticks = {"values": whole, "format": ",d"} if whole and few else {"tickCount": 6}
    axis = alt.Axis(grid=False, **ticks)
    return alt.X("at:Q", title=style.x, axis=axis, scale=alt.Scale(nice=False, padding=8, zero=False))


def _tooltip(alt: Any, style: LinesStyle, points: Sequence[LinePoint]) -> list[Any]:
    stroke = ["stroke:N"] if any(point.stroke for point in points) else []
    return ["series:N", *stroke, alt.Tooltip("x:N", title=style.x), alt.Tooltip("shown:N", title=style.y)]


def _intervals(alt: Any, own: Any, style: LinesStyle, points: Sequence[LinePoint]) -> list[Any]:
    if all(point.low is None for point in points):
        return []
    known = own.transform_filter("isValid(datum.low)").encode(y=alt.Y("low:Q", title=style.y_title), y2="high:Q")
    return [known.mark_area(opacity=0.15) if style.intervals == "band" else known.mark_rule(strokeWidth=1.5)]


def _level_layers(alt: Any, style: LinesStyle, levels: Sequence[Level], of_series: Any) -> list[Any]:
    if not levels:
        return []
    base = alt.Chart().transform_filter("datum.kind == 'level'").encode(y=alt.Y("y:Q", title=style.y_title))
    at = alt.Tooltip("y:Q", title=style.y, format=style.form)
    base = base.encode(tooltip=[alt.Tooltip("label:N", title="line"), at])
    own = {"color": of_series} if any(level.series for level in levels) else {}
    return [base.mark_rule(strokeDash=[4, 3]).encode(**own)]


def _strokes(alt: Any, points: Sequence[LinePoint]) -> Mapping[str, Any]:
    strokes = list(dict.fromkeys(point.stroke for point in points))
    if len(strokes) < 2:
        return {}
    scale = alt.Scale(domain=strokes, range=[list(dash) for dash in DASHES[: len(strokes)]])
    return {
        "strokeDash": alt.StrokeDash(
            "stroke:N", scale=scale, legend=legend(alt, strokes, has_panels=has_panels(points))
        )
    }
