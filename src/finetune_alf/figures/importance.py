"""Importance of each address, with its interval, one bar an evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.figures.style import color, styled_figure


@dataclass(frozen=True)
class Bars:
    """One evaluator's bars: heights and interval ends, address by address."""

    evaluator: str
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(frozen=True)
class ImportanceInfo:
    """What the figure shows: addresses from the input up, and the bars of each evaluator over them."""

    addresses: tuple[str, ...]
    bars: tuple[Bars, ...]


def importance_info(record: Mapping[str, Mapping[str, Mapping[str, float]]]) -> ImportanceInfo:
    """Sort `{evaluator: {address: {mean, low, high}}}` into bars; an address an evaluator lacks counts 0."""
    addresses = tuple(dict.fromkeys(address for shares in record.values() for address in shares))
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0}

    def column(shares: Mapping[str, Mapping[str, float]], end: str) -> tuple[float, ...]:
        return tuple(float(shares.get(address, nothing)[end]) for address in addresses)

    bars = (
        Bars(evaluator, column(shares, "mean"), column(shares, "low"), column(shares, "high"))
        for evaluator, shares in record.items()
    )
    return ImportanceInfo(addresses, tuple(bars))


def importance_bars(record: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bytes:
    """Draw the importance of each address's rate, one bar an evaluator, with 95 % intervals."""
    info = importance_info(record)
    with styled_figure(max(6.0, 1.1 + 0.75 * len(info.addresses)), 3.6) as drawing:
        panel = drawing.axes[0]
        width = 0.8 / max(len(info.bars), 1)
        for index, bars in enumerate(info.bars):
            middles = [at - 0.4 + width * (index + 0.5) for at in range(len(info.addresses))]
            panel.bar(middles, bars.means, width * 0.92, color=color(index), label=bars.evaluator)
            panel.errorbar(middles, bars.means, _reach(bars), fmt="none", ecolor="black", elinewidth=1, capsize=2)
        panel.set_xticks(range(len(info.addresses)), info.addresses, rotation=30, ha="right", rotation_mode="anchor")
        panel.set_ylim(bottom=0)
        panel.grid(axis="x", visible=False)
        panel.set(xlabel="address, from the input up", ylabel="share of importance")
        drawing.figure.legend(loc="outside upper center", ncols=4, title="bars: mean; lines: 95 % interval")
        return drawing.png()


def _reach(bars: Bars) -> list[list[float]]:
    """Return how far each line reaches below and above its bar: a bootstrap's mean may lie outside its interval."""
    below = [max(0.0, mean - low) for mean, low in zip(bars.means, bars.lows, strict=True)]
    above = [max(0.0, high - mean) for mean, high in zip(bars.means, bars.highs, strict=True)]
    return [below, above]
