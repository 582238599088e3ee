"""The learning rate at each address, for several schedules; frozen addresses are in a band of their own."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import GREY, color, marker, styled_figure
from finetune_alf.rates import EMBEDDINGS, HEAD, Address

Schedules = Mapping[str, Mapping[str, float] | Mapping[Address, float]]
"""Rates by schedule and address; LayerRates is such a mapping."""


FACES: Mapping[str, dict[str, Any]] = {
    "learns": {},
    "barely moves": {"alpha": 0.35},
    "frozen": {"markerfacecolor": "white"},
}
"""How the markers of each kind of address look."""


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
    addresses = tuple(sorted({address for rates in plain.values() for address in rates}, key=_position))
    by_schedule = {name: tuple(rates.get(address) for address in addresses) for name, rates in plain.items()}
    positive = [rate for rates in by_schedule.values() for rate in rates if rate]
    lowest = min(positive, default=1e-5)
    return RatesInfo(addresses, by_schedule, 10.0 ** (math.floor(math.log10(lowest)) - 1.5), barely or {})


def rates_by_layer(schedules: Schedules, barely: Mapping[str, Collection[str]] | None = None) -> bytes:
    """Draw learning rate (log scale) over address.

    Hollow markers in the grey band are frozen (rate 0), pale ones are of the addresses that `barely` move.
    """
    info = rates_info(schedules, barely)
    with styled_figure(max(6.0, 2.4 + 0.6 * len(info.addresses)), 3.6) as drawing:
        axes = drawing.axes[0]
        axes.set_yscale("log")
        axes.axhspan(info.floor / 3, info.floor * 3, color="#eeeeee", zorder=0)
        axes.text(1.01, info.floor, "frozen\n(rate 0)", transform=axes.get_yaxis_transform(), va="center", color=GREY)
        for index, (name, rates) in enumerate(info.rates.items()):
            _draw(axes, info, index, name, rates)
        axes.set_xticks(range(len(info.addresses)), info.addresses, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_ylim(bottom=info.floor / 3)
        axes.minorticks_off()
        axes.set_yticks([tick for tick in axes.get_yticks() if tick > info.floor * 3 and tick <= _top(info)])
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="address, from the input up", ylabel="learning rate (log scale)")
        drawing.figure.legend(loc="outside upper center", ncols=4)
        return drawing.png()


def _draw(axes: Any, info: RatesInfo, index: int, name: str, rates: tuple[float | None, ...]) -> None:
    shift = 0.12 * (index - (len(info.rates) - 1) / 2)  # so that equal rates do not hide each other
    points = [(at + shift, info.height(rate), rate) for at, rate in enumerate(rates) if rate is not None]
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=color(index), alpha=0.35, linewidth=1)
    kinds = {at: _kind(info, name, at, rate) for at, rate in enumerate(rates) if rate is not None}
    for kind, face in FACES.items():
        shown = [(at + shift, info.height(rates[at] or 0.0)) for at, own in kinds.items() if own == kind]
        style = {"linestyle": "none", "marker": marker(index), "color": color(index), "markersize": 6}
        label = {"label": name} if kind == "learns" else {}
        axes.plot([x for x, _ in shown], [y for _, y in shown], **style, **face, **label)


def _kind(info: RatesInfo, name: str, at: int, rate: float) -> str:
    if rate == 0:
        return "frozen"
    return "barely moves" if info.addresses[at] in info.barely.get(name, ()) else "learns"


def _top(info: RatesInfo) -> float:
    return 10 * max(info.height(rate) for rates in info.rates.values() for rate in rates if rate is not None)


def _position(address: str) -> tuple[int, int]:
    kind, _, index = address.partition(".")
    return {EMBEDDINGS: 0, HEAD: 2}.get(Address(kind), 1), int(index) if index.isdigit() else 0
