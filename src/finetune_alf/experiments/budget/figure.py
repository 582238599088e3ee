"""Figures of a budget: differences by sample, tuning curves, scores of replicates, optimism, variance components."""

from collections.abc import Iterator
from math import sqrt

from finetune_alf.experiments.budget.document import BudgetDocument, MeanOverReplicates
from finetune_alf.figures.bars import Bar, BarsStyle, bars
from finetune_alf.figures.dots import Dot, dots
from finetune_alf.figures.intervals import Interval, IntervalsStyle, intervals
from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture

POINTS = 100
"""Differences and deviations are drawn in hundredths of the metric."""

ALL = "all"
"""The row of what is over all samples."""

SPLITS = ("validation", "confirmation", "test")


def forest_plot(budget: BudgetDocument) -> Picture:
    """Draw each contrast by sample and over all, with 95 % intervals, and the margin as a band around 0."""
    labels = (*_samples(budget), ALL)
    rows = [
        _interval(contrast.pooled if label == ALL else contrast.by_sample[label], label, f"minus {_words(other)}")
        for other, contrast in budget.contrasts.items()
        for label in labels
    ]
    style = IntervalsStyle(
        x="difference, in points", labels=labels, has_zero=True, margin=POINTS * budget.margin, form="+.1f"
    )
    text = f"Test score of the search over layers minus others, in points; the margin is {POINTS * budget.margin:g}."
    return intervals(rows, style, f"{budget.name}-forest", text)


def tuning_plot(budget: BudgetDocument) -> Picture:
    """Draw the test score of what each arm would have selected against its fits, with 95 % bands."""
    points = [
        LinePoint(_words(arm), point.n_fits, point.mean, point.low, point.high)
        for arm, own in budget.curves.items()
        for point in own
    ]
    style = LinesStyle(x="fits", y=f"test {_words(budget.metric)} of the selected rates")
    return lines(points, style, f"{budget.name}-curves", "Score of what each search would have selected, by its fits.")


def replicates_plot(budget: BudgetDocument) -> Picture:
    """Draw the test score of every replicate by arm and control, a panel for each sample, with the means."""
    values = [
        Dot(_words(name), score, sample)
        for sample in _samples(budget)
        for name, compared in budget.compared.items()
        for score in compared.replicates[sample]
    ]
    labels = [_words(name) for name in budget.compared]
    text = "Test scores of the replicates: mean, lowest and highest."
    return dots(values, labels, f"test {_words(budget.metric)}", f"{budget.name}-replicates", text)


def optimism_plot(budget: BudgetDocument) -> Picture:
    """Draw the mean scores of each arm's winners on validation, confirmation and test."""
    points = [
        LinePoint(_words(arm), split, score)
        for arm, found in budget.optimism.items()
        for split, score in zip(SPLITS, (found.search, found.confirmation, found.test), strict=True)
    ]
    style = LinesStyle(
        x="split", y=f"mean {_words(budget.metric)} of the winners", x_scale="names", x_ticks=SPLITS, height=230
    )
    return lines(points, style, f"{budget.name}-optimism", "What each search selected, from split to split.")


def spread_plot(budget: BudgetDocument) -> Picture:
    """Draw the standard deviation of each source of variance, for the baseline, the arms and the contrasts."""
    rows = list(_deviations(budget))
    style = BarsStyle("standard deviation, in points", tuple(map(_words, budget.spreads)), form=".1f")
    return bars(rows, style, f"{budget.name}-spread", "Standard deviations by source, in points.")


def _deviations(budget: BudgetDocument) -> Iterator[Bar]:
    for name, spread in budget.spreads.items():
        for source, variance in spread.as_json().items():
            if variance is not None:
                yield Bar(_words(name), source, POINTS * sqrt(variance))


def _interval(found: MeanOverReplicates, label: str, panel: str) -> Interval:
    low, high = (None if end is None else POINTS * end for end in (found.low, found.high))
    series = "over all samples" if label == ALL else "one sample"
    return Interval(label, series, POINTS * found.mean, low, high, panel)


def _samples(budget: BudgetDocument) -> list[str]:
    return [sample.name for sample in budget.samples if sample.n_replicates]


def _words(name: str) -> str:
    return name.replace("_", " ")
