"""The learning rate at each address, for several schedules; frozen addresses are in a band of their own."""

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.layout import ROWS, WIDTH, color, shape
from finetune_alf.figures.palette import GREY
from finetune_alf.figures.picture import Picture
from finetune_alf.rates import Address, address_order, rate_text

Schedules = Mapping[str, Mapping[str, float] | Mapping[Address, float]]
"""Rates by schedule and address; LayerRates is such a mapping."""


FACES: Mapping[str, dict[str, Any]] = {
    "learns": {"filled": True, "size": 60, "opacity": 1},
    "barely moves": {"filled": True, "size": 60, "opacity": 0.35},
    "frozen": {"filled": False, "size": 55, "opacity": 1, "strokeWidth": 1.5},
}
"""How the marks of each kind of address look."""

BAND = "frozen"
"""The data of the band in which frozen addresses are."""

DODGE = 0.14
"""How far schedules lie beside each other, in steps between addresses."""

ROOM = 0.8
"""How much of such a step all schedules take at most."""


@dataclass(frozen=True)
class RatesInfo:
    """Addresses from the input up, and the rates of each schedule, None where it lacks the address.

    `barely` are the addresses of each schedule that barely move. `floor` is the height of frozen addresses, at least a
    decade below the lowest positive rate.
    """

    addresses: tuple[str, ...]
    rates: dict[str, tuple[float | None, ...]]
    floor: float
    barely: Mapping[str, Collection[str]]

    def height(self, rate: float) -> float:
        """Return the y coordinate of a rate."""
        return rate if rate > 0 else self.floor


def rates_info(schedules: Schedules, barely: Mapping[str, Collection[str]] | None = None) -> RatesInfo:
    """Sort `{schedule: {address: rate}}` by address; shallower schedules have gaps."""
    plain = {name: {str(a): float(rate) for a, rate in rates.items()} for name, rates in schedules.items()}
    addresses = tuple(sorted({address for rates in plain.values() for address in rates}, key=address_order))
    by_schedule = {name: tuple(rates.get(address) for address in addresses) for name, rates in plain.items()}
    positive = [rate for rates in by_schedule.values() for rate in rates if rate]
    lowest = min(positive, default=1e-5)
    return RatesInfo(addresses, by_schedule, 10.0 ** (math.floor(math.log10(lowest)) - 1.5), barely or {})


def rates_by_layer(
    schedules: Schedules, barely: Mapping[str, Collection[str]] | None = None, name: str = "rates"
) -> Picture:
    """Draw learning rate (log scale) over address; `name` is that of the view.

    Hollow marks in the grey band are frozen (rate 0), pale ones are of the addresses that `barely` move.
    """
    import altair as alt

    info = rates_info(schedules, barely)
    names = list(info.rates)
    base = alt.Chart().encode(
        x=_x(alt, info), y=_y(alt, info), color=color(alt, "schedule", names), tooltip=_tooltip(alt)
    )
    marks = base.encode(shape=shape(alt, "schedule", names))
    band = {BAND: [{"low": info.floor / 3, "high": info.floor * 3}]}
    chart = alt.layer(
        alt.Chart(alt.NamedData(BAND)).mark_rect(opacity=0.14, color=GREY).encode(y=_y(alt, info, "low"), y2="high:Q"),
        base.mark_line(strokeWidth=1, opacity=0.35),
        *(marks.transform_filter(f"datum.does == '{kind}'").mark_point(**face) for kind, face in FACES.items()),
        data=alt.NamedData(ROWS),
    ).properties(name=name, width=WIDTH, height=250)
    return Picture.of(chart, rates_in_words(info), {ROWS: list(_rows(info)), **band})


def rates_in_words(info: RatesInfo) -> str:
    """Return the rates of each schedule by address, frozen ones by name."""
    found = []
    for name, rates in info.rates.items():
        own = [(address, rate) for address, rate in zip(info.addresses, rates, strict=True) if rate is not None]
        ends = sorted({rate for _, rate in own if rate})
        moving = " to ".join(rate_text(rate) for rate in dict.fromkeys((*ends[:1], *ends[-1:]))) or "nothing learns"
        frozen = ", ".join(address for address, rate in own if not rate)
        found.append(f"{name}: {moving}{f'; frozen: {frozen}' if frozen else ''}.")
    return f"Learning rates of {len(info.addresses)} addresses, lowest to highest. {' '.join(found)}"


def _rows(info: RatesInfo) -> Iterator[dict[str, Any]]:
    for index, (name, rates) in enumerate(info.rates.items()):
        shift = min(DODGE, ROOM / len(info.rates)) * (
            index - (len(info.rates) - 1) / 2
        )  # so that equal rates do not hide each other
        for at, rate in enumerate(rates):
            if rate is not None:
                own = {"schedule": name, "address": info.addresses[at], "rate": rate_text(rate)}
                yield {**own, "at": at + shift, "height": info.height(rate), "does": _kind(info, name, at, rate)}


def _x(alt: Any, info: RatesInfo) -> Any:
    n = len(info.addresses)
    labels = f"{json.dumps(info.addresses)}[datum.value]"
    axis = alt.Axis(values=list(range(n)), labelExpr=labels, labelAngle=-30, grid=False)
    return alt.X("at:Q", title="address, from the input up", axis=axis, scale=alt.Scale(domain=[-0.5, n - 0.5]))


def _y(alt: Any, info: RatesInfo, field: str = "height") -> Any:
    decades = range(math.ceil(math.log10(info.floor * 3)), math.ceil(math.log10(_top(info))) + 1)
    labels = f"datum.value < {info.floor * 2} ? 'frozen' : format(datum.value, '.0e')"
    axis = alt.Axis(values=[info.floor, *(10.0**decade for decade in decades)], labelExpr=labels)
    scale = alt.Scale(type="log", domain=[info.floor / 3, 1.6 * _top(info)], nice=False)
    return alt.Y(f"{field}:Q", title="learning rate (log scale)", axis=axis, scale=scale)


def _tooltip(alt: Any) -> list[Any]:
    return ["schedule:N", "address:N", alt.Tooltip("rate:N"), alt.Tooltip("does:N", title="the address")]


def _kind(info: RatesInfo, name: str, at: int, rate: float) -> str:
    if rate == 0:
        return "frozen"
    return "barely moves" if info.addresses[at] in info.barely.get(name, ()) else "learns"


def _top(info: RatesInfo) -> float:
    return max(info.height(rate) for rates in info.rates.values() for rate in rates if rate is not None)
