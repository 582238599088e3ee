"""What lines are drawn from: points, levels and how they look; the rows of the chart, and what it says in words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Literal

from finetune_alf.figures.layout import shown

MOST_MARKS = 12
"""A line with more points than this has marks on some of them; hover finds all."""

FEW_LINES = 4
"""With more lines than this the text beside the figure leaves out their intervals."""

DODGE = {"linear": 0.0, "log": 0.016, "names": 0.09}
"""How far series lie beside each other, so that no interval hides another: in decades, or in steps between names."""


ROOM = {"linear": 0.0, "log": 0.2, "names": 0.7}
"""How much of that all series take at most."""


@dataclass(frozen=True)
class LinePoint:
    """A point of a series; `x` is a name where the axis has names, and without a `y` the line has a gap.

    `stroke` separates lines of one series, such as training and validation.
    """

    series: str
    x: float | str
    y: float | None
    low: float | None = None
    high: float | None = None
    panel: str = ""
    stroke: str = ""

    @property
    def line(self) -> tuple[str, str, str]:
        """The line that it lies on."""
        return self.panel, self.series, self.stroke


@dataclass(frozen=True)
class Level:
    """A dashed horizontal line, grey or in the colour of its series."""

    label: str
    y: float
    series: str = ""
    panel: str = ""


@dataclass(frozen=True)
class LinesStyle:
    """How lines are drawn: titles of the axes, the kind of the x axis with its ticks, and how intervals look.

    Panels that do not share `y` have a quantity each, and say which. `diagonal` names a line of equal values.
    """

    x: str
    y: str
    x_scale: Literal["linear", "log", "names"] = "linear"
    x_ticks: tuple[float, ...] | tuple[str, ...] = ()
    intervals: Literal["band", "bars"] = "band"
    is_zero_in_y: bool = False
    shares_y: bool = True
    diagonal: str = ""
    height: int = 250
    form: str = ".3f"

    @property
    def names(self) -> list[str]:
        """The ticks of an axis of names."""
        return list(map(str, self.x_ticks))

    @property
    def y_title(self) -> str | None:
        """The title of the y axis."""
        return self.y if self.shares_y else None


def lines_in_words(points: Sequence[LinePoint], style: LinesStyle, levels: Sequence[Level] = ()) -> str:
    """Return where each line starts and ends, by panel."""
    by_line: dict[tuple[str, str, str], list[LinePoint]] = {}
    for point in points:
        if point.y is not None:
            by_line.setdefault(point.line, []).append(point)
    has_intervals = len(by_line) <= FEW_LINES
    found = [f"{', '.join(filter(None, key))}: {_course(own, style, has_intervals)}" for key, own in by_line.items()]
    dashed = [f"{', '.join(filter(None, (each.panel, each.label)))}: {each.y:{style.form}}" for each in levels]
    return f"{'; '.join([*found, *dashed])}." if found or dashed else "Nothing to show."


def _course(points: Sequence[LinePoint], style: LinesStyle, has_intervals: bool) -> str:
    first, last = (_at(point, style, has_intervals) for point in (points[0], points[-1]))
    return first if len(points) == 1 else f"from {first} to {last}"


def _at(point: LinePoint, style: LinesStyle, has_intervals: bool) -> str:
    low, high = (point.low, point.high) if has_intervals else (None, None)
    return f"{shown(point.y or 0.0, low, high, style.form)} at {_x_text(point.x)}"


def chart_rows(points: Sequence[LinePoint], style: LinesStyle, levels: Sequence[Level]) -> list[dict[str, Any]]:
    """Return the rows of a chart: points, of which some have marks, levels, and the ends of the diagonal."""
    series = list(dict.fromkeys(point.series for point in points))
    start = min((floor(10 * float(point.x)) / 10 for point in points), default=0.0) if style.diagonal else 0.0
    ends = (start, 1.0) if style.diagonal else ()
    return [
        *_point_rows(points, style, series),
        *map(_level_row, levels),
        *({"kind": "diagonal", "panel": "", "label": style.diagonal, "at": end, "y": end} for end in ends),
    ]


def _point_rows(points: Sequence[LinePoint], style: LinesStyle, series: Sequence[str]) -> Iterator[dict[str, Any]]:
    totals = Counter(point.line for point in points)
    done: Counter[tuple[str, str, str]] = Counter()
    for point in points:
        every = max(1, totals[point.line] // MOST_MARKS)
        yield _row(point, style, series) | {"is_marked": done[point.line] % every == 0}
        done[point.line] += 1


def _row(point: LinePoint, style: LinesStyle, series: Sequence[str]) -> dict[str, Any]:
    steps = series.index(point.series) - (len(series) - 1) / 2
    shift = steps * min(DODGE[style.x_scale], ROOM[style.x_scale] / len(series)) if style.intervals == "bars" else 0.0
    at: float
    if style.x_scale == "names":
        at = style.names.index(str(point.x)) + shift
    else:
        at = float(point.x) * 10**shift if style.x_scale == "log" else float(point.x)
    return {
        "kind": "point",
        "panel": point.panel,
        "series": point.series,
        "stroke": point.stroke,
        "x": _x_text(point.x),
        "at": at,
        "y": point.y,
        "low": point.low,
        "high": point.high,
        "shown": "none" if point.y is None else shown(point.y, point.low, point.high, style.form),
    }


def _level_row(level: Level) -> dict[str, Any]:
    return {"kind": "level", "panel": level.panel, "series": level.series, "label": level.label, "y": level.y}


def _x_text(x: float | str) -> str:
    if isinstance(x, str):
        return x
    return f"{x:,.0f}" if float(x).is_integer() else f"{x:,.4g}"
