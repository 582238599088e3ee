"""Bars side by side: a value for each name and series, with its range and a mark to compare it with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.layout import ROWS, WIDTH, color, shown
from finetune_alf.figures.palette import GREY
from finetune_alf.figures.picture import Picture

BAR = 11
"""The height of a bar in pixels."""


@dataclass(frozen=True)
class Bar:
    """A bar from 0; `low` to `high` is a thin line on it, `mark` a stroke across it."""

    label: str
    series: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: float | None = None


@dataclass(frozen=True)
class BarsStyle:
    """How bars are drawn: title of the axis with lines below it, names from the top down, and what the mark is."""

    x: str
    labels: tuple[str, ...]
    note: tuple[str, ...] = ()
    mark: str = ""
    form: str = ".3f"


def bars(rows: Sequence[Bar], style: BarsStyle, name: str, text: str) -> Picture:
    """Draw the bars of each name below each other; `text` says what they are, `name` is that of the view."""
    import altair as alt

    series = list(dict.fromkeys(row.series for row in rows))
    base = alt.Chart(alt.NamedData(ROWS)).encode(
        y=alt.Y("label:N", title=None, sort=None, scale=alt.Scale(domain=list(style.labels), paddingInner=0.2)),
        yOffset=alt.YOffset("series:N", sort=series),
        tooltip=_tooltip(alt, style, series),
    )
    title = [style.x, *style.note]
    x = alt.X("value:Q", title=title, axis=alt.Axis(tickCount=6))
    own = color(alt, "series", series)
    if len(series) == 1:
        own.legend = alt.Legend(title=None, symbolSize=80, symbolOpacity=1)
    layers = [base.mark_bar(opacity=0.5).encode(x=x, color=own)]
    if any(row.low is not None for row in rows):
        ranges = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2.5)
        layers.append(ranges.encode(x=alt.X("low:Q", title=title), x2="high:Q", color=own))
    if style.mark:
        marks = base.transform_filter("isValid(datum.mark)").mark_tick(thickness=3, size=BAR - 1, color=GREY, opacity=1)
        layers.append(marks.encode(x=alt.X("mark:Q", title=title)))
    height = len(style.labels) * (6 + BAR * max(1, len(series)))
    chart = alt.layer(*layers).properties(name=name, width=WIDTH, height=height)
    return Picture.of(chart, f"{text} {bars_in_words(rows, style)}", {ROWS: [_row(row, style) for row in rows]})


def bars_in_words(rows: Sequence[Bar], style: BarsStyle) -> str:
    """Return the value of each bar, by series."""
    by_series: dict[str, list[str]] = {}
    for row in rows:
        by_series.setdefault(row.series, []).append(f"{row.label} {row.value:{style.form}}")
    return " ".join(f"{series}: {', '.join(own)}." for series, own in by_series.items()) or "Nothing to show."


def _tooltip(alt: Any, style: BarsStyle, series: Sequence[str]) -> list[Any]:
    return [
        alt.Tooltip("label:N", title="of"),
        *(["series:N"] if len(series) > 1 else []),
        alt.Tooltip("shown:N", title=style.x),
        *([alt.Tooltip("mark:Q", title=style.mark, format=style.form)] if style.mark else []),
    ]


def _row(row: Bar, style: BarsStyle) -> dict[str, Any]:
    return {**vars(row), "shown": shown(row.value, row.low, row.high, style.form)}
