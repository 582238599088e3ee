"""Each scheme's accuracy with its interval, a panel a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.style import GREY, color, marker, styled_figure


@dataclass(frozen=True)
class Panel:
    """One sample's points: mean and interval by scheme, None where a scheme was not run."""

    sample: str
    intervals: tuple[tuple[float, float, float] | None, ...]
    majority: float | None


@dataclass(frozen=True)
class TransferInfo:
    """What the figure shows: schemes from the top down, and a panel a sample."""

    schemes: tuple[str, ...]
    panels: tuple[Panel, ...]
    baseline: int | None


def transfer_info(
    samples: Mapping[str, Mapping[str, Mapping[str, float]]],
    majority: Mapping[str, float] | None = None,
    baseline: str = "baseline",
) -> TransferInfo:
    """Sort `{sample: {scheme: {mean, low, high}}}` into panels; `majority` is the commonest class's share."""
    schemes = tuple(dict.fromkeys(scheme for cells in samples.values() for scheme in cells))
    panels = tuple(
        Panel(sample, tuple(_ends(cells.get(scheme)) for scheme in schemes), (majority or {}).get(sample))
        for sample, cells in samples.items()
    )
    return TransferInfo(schemes, panels, schemes.index(baseline) if baseline in schemes else None)


def transfer_plot(
    samples: Mapping[str, Mapping[str, Mapping[str, float]]],
    majority: Mapping[str, float] | None = None,
    measure: str = "accuracy",
) -> bytes:
    """Draw test accuracy by scheme, a panel a sample: point, 95 % interval, the baseline's mean as a dashed line.

    A dotted line marks what naming the commonest class every time would score.
    """
    info = transfer_info(samples, majority)
    width, height = max(6.5, 1.6 + 2.3 * len(info.panels)), 1.5 + 0.38 * len(info.schemes)
    with styled_figure(width, height, n_panels=max(len(info.panels), 1), share_y=True) as drawing:
        for axes, panel in zip(drawing.axes, info.panels, strict=False):
            _draw(axes, panel, info.baseline)
            axes.set_title(panel.sample)
            axes.locator_params(axis="x", nbins=5)
        drawing.axes[0].set_yticks(range(len(info.schemes)), info.schemes)
        drawing.axes[0].invert_yaxis()
        dotted = "; dotted: the commonest class" if majority else ""
        drawing.figure.supxlabel(
            f"test {measure.replace('_', ' ')}, 95 % interval (dashed: the baseline's mean{dotted})"
        )
        return drawing.png()


def _draw(axes: Any, panel: Panel, baseline: int | None) -> None:
    shown: Sequence[tuple[int, tuple[float, float, float]]] = [
        (row, interval) for row, interval in enumerate(panel.intervals) if interval is not None
    ]
    for row, (mean, low, high) in shown:
        axes.plot([low, high], [row, row], color=color(row), linewidth=2)
        axes.plot([mean], [row], color=color(row), marker=marker(row), markersize=7)
    reference = None if baseline is None else panel.intervals[baseline]
    if reference is not None:
        axes.axvline(reference[0], color=GREY, linestyle="--", linewidth=1)
    if panel.majority is not None:
        axes.axvline(panel.majority, color=GREY, linestyle=":", linewidth=1.5)
    axes.grid(axis="y", visible=False)


def _ends(cell: Mapping[str, float] | None) -> tuple[float, float, float] | None:
    return None if cell is None else (float(cell["mean"]), float(cell["low"]), float(cell["high"]))
