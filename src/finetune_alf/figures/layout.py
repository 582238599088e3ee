"""What the kinds of charts share: colour and shape of a series, the legend, panels, and numbers in words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from finetune_alf.figures.palette import colors, shapes

WIDTH = 560
"""The width of a chart alone, in pixels; a page may set another."""

ROWS = "rows"
"""The name of the data of a chart, which `Picture.of` is given apart."""

PANEL_WIDTH = 250
N_COLUMNS = 2
"""Charts with several panels have so many side by side, as on a narrow page one below the other."""

DASHES = ((1, 0), (5, 3), (2, 2), (8, 3, 2, 3))
"""The strokes of lines that differ by more than their series."""


def color(alt: Any, field: str, names: Sequence[str], *, has_panels: bool = False) -> Any:
    """Return the colour of each name, with a legend where there are several."""
    scale = alt.Scale(domain=list(names), range=colors(names))
    return alt.Color(f"{field}:N", scale=scale, legend=legend(alt, names, has_panels=has_panels))


def shape(alt: Any, field: str, names: Sequence[str], *, has_panels: bool = False) -> Any:
    """Return the shape of each name; its legend and that of `color` are one."""
    scale = alt.Scale(domain=list(names), range=shapes(names))
    return alt.Shape(f"{field}:N", scale=scale, legend=legend(alt, names, has_panels=has_panels))


def legend(alt: Any, names: Sequence[str], *, has_panels: bool = False) -> Any:
    """Return a legend in as many columns as the chart has room for; None for a single name."""
    if len(names) < 2:
        return None
    wide = 7 * max(map(len, names)) + 34
    columns = max(1, 2 * PANEL_WIDTH // wide) if has_panels else alt.expr(f"max(1, floor(width / {wide}))")
    return alt.Legend(title=None, columns=columns, symbolSize=80, symbolOpacity=1)


def in_panels(
    alt: Any,
    layers: Sequence[Any],
    rows: Sequence[Mapping[str, Any]],
    name: str,
    height: int,
    *,
    shares_x: bool = True,
    shares_y: bool = True,
) -> Any:
    """Return the layers as one chart of this name, with panels where the rows have several."""
    panels = panels_of(rows)
    data = alt.NamedData(ROWS)
    if len(panels) < 2:
        chart = alt.layer(*layers, data=data).properties(name=name, width=WIDTH, height=height)
        return chart.properties(title=panels[0]) if panels else chart
    resolved = {"x": "shared" if shares_x else "independent", "y": "shared" if shares_y else "independent"}
    panel = alt.layer(*layers).properties(width=PANEL_WIDTH, height=height)
    facet = alt.Facet("panel:N", sort=panels, title=None)
    chart = panel.facet(facet, columns=N_COLUMNS, data=data, spacing=18).resolve_scale(**resolved)
    chart = chart.resolve_axis(x="independent")  # a last row that is not full has its axis too
    return chart.properties(name=name)


def panels_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the panels in order; none where rows have none."""
    return list(dict.fromkeys(row["panel"] for row in rows if row["panel"]))


def has_panels(rows: Sequence[Any]) -> bool:
    """Return whether records are of several panels."""
    return len({row.panel for row in rows}) > 1


def axis_format(
    drawn: Iterable[tuple[str, Iterable[float | None]]],
    sign: str = "",
    *,
    is_shared: bool = True,
    ends: Iterable[float] = (),
) -> str:
    """Return the format of the numbers on an axis: as many places as its steps need.

    `drawn` are values with their panel, which has an axis of its own unless all share one; `ends` are on each axis. One
    that has a single value has no steps to round by.
    """
    axes: dict[str, set[float | None]] = {}
    for panel, values in drawn:
        axes.setdefault("" if is_shared else panel, set(ends)).update(values)
    is_level = [len(values - {None}) < 2 for values in axes.values()]
    if all(is_level):
        return f"{sign}.3f"
    return f"{sign}~g" if any(is_level) else f"{sign}f"


def shown(mean: float, low: float | None = None, high: float | None = None, form: str = ".3f") -> str:
    """Write a number with its interval, where there is one."""
    interval = "" if low is None or high is None else f" [{low:{form}}, {high:{form}}]"
    return f"{mean:{form}}{interval}"
