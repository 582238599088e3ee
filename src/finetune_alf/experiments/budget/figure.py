"""Figures of a budget: differences by sample, tuning curves, scores of replicates, optimism, variance components."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from finetune_alf.experiments.budget.document import BudgetDocument, MeanOverReplicates
from finetune_alf.figures.style import GREY, color, marker, styled_figure

POINTS = 100
"""Differences and deviations are drawn in hundredths of the metric."""


def forest_plot(budget: BudgetDocument) -> bytes:
    """Draw each contrast by sample and over all, with 95 % intervals, and the margin as a band around 0."""
    labels = [*(sample.name for sample in budget.samples if sample.n_replicates), "all"]
    with styled_figure(9.5, 1.4 + 0.45 * len(labels), n_axes=len(budget.contrasts), share_y=True) as drawing:
        for axes, (other, contrast) in zip(drawing.axes, budget.contrasts.items(), strict=True):
            axes.axvspan(-POINTS * budget.margin, POINTS * budget.margin, color="#e8f1f8", zorder=0)
            axes.axvline(0, color=GREY, linewidth=1)
            for row, label in enumerate(labels):
                found = contrast.pooled if label == "all" else contrast.by_sample[label]
                _interval(axes, found, row, is_pooled=label == "all")
            axes.set_title(f"minus {_words(other)}")
            axes.grid(axis="y", visible=False)
        drawing.axes[0].set_yticks(range(len(labels)), labels)
        drawing.axes[0].set_ylim(len(labels) - 0.5, -0.5)
        drawing.figure.supxlabel("search over layers minus the other, in points; shaded: within the margin")
        return drawing.png()


def tuning_plot(budget: BudgetDocument) -> bytes:
    """Draw the test score of what each arm would have selected against its fits, with 95 % bands."""
    with styled_figure(6.5, 4.0) as drawing:
        (axes,) = drawing.axes
        for index, (arm, points) in enumerate(budget.curves.items()):
            x = [point.n_fits for point in points]
            axes.plot(x, [point.mean for point in points], color=color(index), label=_words(arm))
            if all(point.low is not None for point in points):
                lows, highs = ([getattr(point, end) for point in points] for end in ("low", "high"))
                axes.fill_between(x, lows, highs, color=color(index), alpha=0.12, linewidth=0)
        axes.set(xlabel="fits", ylabel=f"test {_words(budget.metric)} of the selected rates")
        drawing.figure.legend(loc="outside upper center", ncols=4)
        return drawing.png()


def replicates_plot(budget: BudgetDocument) -> bytes:
    """Draw the test score of every replicate by arm and control, a panel for each sample, with the means."""
    samples = [sample.name for sample in budget.samples if sample.n_replicates]
    labels = [_words(name) for name in budget.compared]
    with styled_figure(2.2 + 2.2 * len(samples), 3.8, n_axes=len(samples), share_y=True) as drawing:
        for axes, sample in zip(drawing.axes, samples, strict=True):
            for row, compared in enumerate(budget.compared.values()):
                scores = compared.replicates[sample]
                axes.plot(scores, [row] * len(scores), "o", color=color(0), alpha=0.5, markersize=4)
                axes.plot([compared.by_sample[sample].mean], [row], "|", color="black", markersize=14)
            axes.set_title(sample)
            axes.grid(axis="y", visible=False)
        drawing.axes[0].set_yticks(range(len(labels)), labels)
        drawing.axes[0].set_ylim(len(labels) - 0.5, -0.5)
        drawing.figure.supxlabel(f"test {_words(budget.metric)} of each replicate; bar: mean")
        return drawing.png()


def optimism_plot(budget: BudgetDocument) -> bytes:
    """Draw the mean scores of each arm's winners on validation, confirmation and test."""
    with styled_figure(6.0, 3.6) as drawing:
        (axes,) = drawing.axes
        for index, (arm, found) in enumerate(budget.optimism.items()):
            scores = [found.search, found.confirmation, found.test]
            axes.plot(range(3), scores, marker(index), linestyle="-", color=color(index), label=_words(arm))
        axes.set_xticks(range(3), ["validation, in the search", "confirmation", "test"])
        axes.set_ylabel(f"mean {_words(budget.metric)} of the winners")
        drawing.figure.legend(loc="outside upper center", ncols=4)
        return drawing.png()


def spread_plot(budget: BudgetDocument) -> bytes:
    """Draw the standard deviation of each source of variance, for the baseline, the arms and the contrasts."""
    rows = {name: spread.as_json() for name, spread in budget.spreads.items()}
    sources = ("draw", "search", "seed", "text")
    with styled_figure(7.0, 1.5 + 0.5 * len(rows)) as drawing:
        (axes,) = drawing.axes
        for index, source in enumerate(sources):
            _bars(axes, rows, source, index, len(sources))
        axes.set_yticks(range(len(rows)), [_words(name) for name in rows])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("standard deviation, in points")
        drawing.figure.legend(loc="outside upper center", ncols=4)
        return drawing.png()


def _bars(axes: Any, rows: Mapping[str, Mapping[str, float | None]], source: str, index: int, n: int) -> None:
    present = [(row, own[source]) for row, own in enumerate(rows.values()) if own[source] is not None]
    heights = [row - 0.4 + 0.8 * (index + 0.5) / n for row, _ in present]
    widths = [POINTS * sqrt(variance or 0.0) for _, variance in present]
    axes.barh(heights, widths, 0.8 / n * 0.9, color=color(index), label=source)


def _interval(axes: Any, found: MeanOverReplicates, row: int, *, is_pooled: bool) -> None:
    own = color(1) if is_pooled else color(0)
    if found.low is not None and found.high is not None:
        axes.plot([POINTS * found.low, POINTS * found.high], [row, row], color=own, linewidth=2)
    axes.plot([POINTS * found.mean], [row], "D" if is_pooled else "o", color=own, markersize=6)


def _words(name: str) -> str:
    return name.replace("_", " ")
