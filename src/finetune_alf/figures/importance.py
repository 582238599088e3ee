"""Importance of the learning rate of each address, by evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.figures.bars import Bar, BarsLook, bars
from finetune_alf.figures.layout import WIDTH
from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class Bars:
    """The bars of one evaluator by address: means, ends of the range, and the mark of shuffled scores."""

    evaluator: str
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    shuffled: tuple[float, ...]


@dataclass(frozen=True)
class ImportanceInfo:
    """Addresses from the input up, and the bars of each evaluator."""

    addresses: tuple[str, ...]
    bars: tuple[Bars, ...]


def importance_info(record: Mapping[str, Mapping[str, Mapping[str, float]]]) -> ImportanceInfo:
    """Convert `{evaluator: {address: {mean, low, high, shuffled_high}}}` to bars; a missing address has 0."""
    addresses = tuple(dict.fromkeys(address for importances in record.values() for address in importances))

    def column(importances: Mapping[str, Mapping[str, float]], key: str) -> tuple[float, ...]:
        return tuple(float(importances[address][key]) if address in importances else 0.0 for address in addresses)

    keys = ("mean", "low", "high", "shuffled_high")
    bars = (Bars(evaluator, *(column(by_address, key) for key in keys)) for evaluator, by_address in record.items())
    return ImportanceInfo(addresses, tuple(bars))


def importance_bars(record: Mapping[str, Mapping[str, Mapping[str, float]]], name: str = "importance") -> Picture:
    """Draw the importance of each address's rate, one bar for each evaluator, with its range over subsamples.

    A mark shows the 95th percentile with shuffled scores. The figure of an empty record says that there is nothing.
    `name` is that of the view.
    """
    info = importance_info(record)
    if not info.bars:
        return _nothing(name)
    rows = [
        Bar(address, own.evaluator, *values)
        for own in info.bars
        for address, *values in zip(info.addresses, own.means, own.lows, own.highs, own.shuffled, strict=True)
    ]
    look = BarsLook(
        x="share of importance",
        note=("line: 95 % of the subsamples", "grey: 95th percentile with shuffled scores"),
        labels=tuple(reversed(info.addresses)),
        mark="95th percentile with shuffled scores",
    )
    return bars(rows, look, name, "Share of each address's rate in the importance for the score, by evaluator.")


def _nothing(name: str) -> Picture:
    import altair as alt

    words = "no importance was estimated"
    chart = (
        alt.Chart(alt.InlineData(values=[{"text": words}]), name=name, width=WIDTH, height=90)
        .mark_text(fontSize=13)
        .encode(text="text:N")
    )
    return Picture.of(chart, f"{words.capitalize()}.")
