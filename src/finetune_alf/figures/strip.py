"""Schedules as strips: the learning rate at each address in colour, frozen addresses visibly apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.picture import Picture
from finetune_alf.figures.rate_scale import Rates, address_axis, rate_color, text_on
from finetune_alf.rates import MovementWord, address_order, rate_text

N_STRIPES = 9

ROW = 34
"""The height of a strip in pixels."""

SIGN = 0.52
"""The mean width of a sign of a rate, as a part of the size of the text."""

SMALLEST, LARGEST = 7, 11
"""The sizes of the rates in pixels."""


@dataclass(frozen=True)
class StripCell:
    """The rate of a schedule at an address; `does` is what it does there, where that is known."""

    schedule: str
    address: str
    rate: float
    does: MovementWord | None = None


def strip_cells(
    schedules: Mapping[str, Rates], words: Mapping[str, Mapping[str, MovementWord | None]] | None = None
) -> tuple[StripCell, ...]:
    """Return a cell for each schedule and address; `words` has what rates do, by schedule and address."""
    known = words or {}
    return tuple(
        StripCell(name, str(address), float(rate), "frozen" if rate == 0 else known.get(name, {}).get(address))
        for name, rates in schedules.items()
        for address, rate in rates.items()
    )


def schedule_strip(cells: Sequence[StripCell]) -> Picture:
    """Draw a strip for each schedule, addresses from the input up."""
    import altair as alt

    addresses = sorted({cell.address for cell in cells}, key=address_order)
    schedules = list(dict.fromkeys(cell.schedule for cell in cells))
    rates, width = [cell.rate for cell in cells], "bandwidth('strip_x')"
    base = alt.Chart(alt.NamedData("cells")).encode(
        x=alt.X("address:N", sort=addresses, title="address, from the input up", axis=address_axis(alt, width)),
        y=alt.Y("schedule:N", sort=schedules, title=None),
        tooltip=[
            alt.Tooltip("schedule:N"),
            alt.Tooltip("address:N"),
            alt.Tooltip("shown:N", title="rate"),
            alt.Tooltip("does:N", title="the address"),
        ],
    )
    is_turned, text_size = _fit(width, max(len(rate_text(rate)) for rate in rates))
    chart = alt.layer(
        base.mark_rect(stroke="#7a7a7a", strokeWidth=0.5).encode(color=rate_color(alt, rates)),
        base.transform_filter("datum.does == 'barely moves'").mark_rect(color=_stripes()),
        base.mark_text(fontSize=alt.expr(text_size), angle=alt.expr(f"{is_turned} ? 270 : 0"), fontWeight=600).encode(
            text="shown:N", color=text_on(alt, rates)
        ),
    ).properties(name="strip", width=560, height=ROW * len(schedules))
    return Picture.of(chart, strip_in_words(cells), {"cells": [_row(cell) for cell in cells]})


def strip_in_words(cells: Sequence[StripCell]) -> str:
    """Return what the strips show: the rates of each schedule, and how many addresses are frozen or barely move."""
    by_schedule: dict[str, list[StripCell]] = {}
    for cell in cells:
        by_schedule.setdefault(cell.schedule, []).append(cell)
    return "Learning rates by address. " + " ".join(_sentence(*each) for each in by_schedule.items())


def _sentence(schedule: str, cells: Sequence[StripCell]) -> str:
    does = Counter(cell.does for cell in cells)
    rates = ", ".join(f"{cell.address} {rate_text(cell.rate)}" for cell in sorted(cells, key=_place))
    barely = f", {does['barely moves']} barely moving" if does["barely moves"] else ""
    return f"{schedule}: {does['frozen']} of {len(cells)} addresses frozen{barely} ({rates})."


def _fit(width: str, n_signs: int) -> tuple[str, str]:
    """Return expressions: whether rates of so many signs are too long for a cell and run upward, and their size."""
    across, along = f"({width} - 1) / {SIGN * n_signs:.3g}", (ROW - 2) / (SIGN * n_signs)
    is_turned = f"{across} < {SMALLEST}"
    return is_turned, f"{is_turned} ? min({min(LARGEST, along):.3g}, {width}) : min({LARGEST}, {across})"


def _stripes() -> dict[str, Any]:
    """Return a fill of diagonal stripes over a cell of any size: a gradient whose steps are hard."""
    edges = [index / (2 * N_STRIPES) for index in range(2 * N_STRIPES + 1)]
    colors = ["rgba(255,255,255,0.26)", "rgba(255,255,255,0)"] * N_STRIPES
    stops = [
        {"offset": round(offset, 3), "color": color}
        for low, high, color in zip(edges, edges[1:], colors, strict=False)
        for offset in (low, high)
    ]
    return {"gradient": "linear", "x1": 0, "y1": 0, "x2": 1, "y2": 1, "stops": stops}


def _row(cell: StripCell) -> dict[str, Any]:
    row = {"schedule": cell.schedule, "address": cell.address, "rate": cell.rate, "shown": rate_text(cell.rate)}
    return row if cell.does is None else {**row, "does": cell.does}


def _place(cell: StripCell) -> tuple[int, int]:
    return address_order(cell.address)
