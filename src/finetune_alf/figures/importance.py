"""Importance of the learning rate of each address, by evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.figures.style import GREY, color, styled_figure


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


def importance_bars(record: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bytes:
    """Draw the importance of each address's rate, one bar for each evaluator, with its range over subsamples.

    A mark shows the 95th percentile with shuffled scores. The figure of an empty record says that there is nothing.
    """
    info = importance_info(record)
    with styled_figure(max(6.0, 1.1 + 0.75 * len(info.addresses)), 3.6) as drawing:
        axes = drawing.axes[0]
        if not info.bars:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no importance was estimated", ha="center", transform=axes.transAxes)
            return drawing.png()
        width = 0.8 / len(info.bars)
        for index, bars in enumerate(info.bars):
            middles = [at - 0.4 + width * (index + 0.5) for at in range(len(info.addresses))]
            axes.bar(middles, bars.means, width * 0.92, color=color(index), label=bars.evaluator)
            axes.errorbar(middles, bars.means, _error_bars(bars), fmt="none", ecolor="black", elinewidth=1, capsize=2)
            axes.plot(middles, bars.shuffled, "_", color="white", markersize=11, markeredgewidth=4)  # seen on bars too
            axes.plot(middles, bars.shuffled, "_", color=GREY, markersize=9, markeredgewidth=2)
        axes.set_xticks(range(len(info.addresses)), info.addresses, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="address, from the input up", ylabel="share of importance")
        title = "bars: mean; lines: 95 % of the subsamples; grey: 95th percentile with shuffled scores"
        drawing.figure.legend(loc="outside upper center", ncols=4, title=title)
        return drawing.png()


def _error_bars(bars: Bars) -> list[list[float]]:
    """Return the lengths of the error bars; none is negative, though a mean may be outside its range."""
    below = [max(0.0, mean - low) for mean, low in zip(bars.means, bars.lows, strict=True)]
    above = [max(0.0, high - mean) for mean, high in zip(bars.means, bars.highs, strict=True)]
    return [below, above]
