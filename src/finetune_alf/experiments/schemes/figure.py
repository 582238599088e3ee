"""Each scheme's score with its interval, a panel for each sample, adapters side by side."""

from collections.abc import Iterator
from dataclasses import dataclass

from finetune_alf.documents import Estimate
from finetune_alf.experiments.schemes.combination import NO_ADAPTER
from finetune_alf.experiments.schemes.document import CombinationResult, SchemesDocument
from finetune_alf.figures.intervals import Interval, IntervalsStyle, intervals
from finetune_alf.figures.picture import Picture

PUBLISHED = "published"


@dataclass(frozen=True)
class SchemePoint:
    """One combination: its row, its adapter, its score and its published accuracy; None where there is none."""

    row: int
    adapter: str
    score: Estimate | None
    published: float | None


@dataclass(frozen=True)
class SchemesInfo:
    """What the figure shows: rows from the top down, adapters, and the points of each sample's panel."""

    rows: tuple[str, ...]
    adapters: tuple[str, ...]
    panels: tuple[tuple[str, tuple[SchemePoint, ...]], ...]


def schemes_info(testbed: SchemesDocument) -> SchemesInfo:
    """Sort a testbed's rows into panels; published accuracies are not shown with scores by another metric."""
    results = [row for table in testbed.samples.values() for row in table.combinations]
    labels = tuple(dict.fromkeys(map(_label, results)))
    adapters = tuple(dict.fromkeys(row.adapter for row in results))

    def point(result: CombinationResult) -> SchemePoint:
        published = result.published.accuracy if result.published and testbed.metric == "accuracy" else None
        return SchemePoint(labels.index(_label(result)), result.adapter, result.score, published)

    panels = tuple((name, tuple(map(point, table.combinations))) for name, table in testbed.samples.items())
    return SchemesInfo(labels, adapters, panels)


def schemes_plot(testbed: SchemesDocument) -> Picture:
    """Draw the score by scheme, a panel for each sample: a point with its 95 % interval for each adapter.

    Crosses are published accuracies. Points of one scheme with and without an adapter are drawn one below the other.
    """
    info = schemes_info(testbed)
    measure = f"{testbed.score_on} {testbed.metric.replace('_', ' ')}"
    rows = sorted(_intervals(info), key=lambda row: (_order(info, row.series), info.rows.index(row.label)))
    style = IntervalsStyle(x=f"{measure}, 95 % interval", labels=info.rows, shares_x=False)
    text = f"{measure.capitalize()} of each scheme, with and without adapters."
    return intervals(rows, style, f"{testbed.name}-schemes", text)


def _intervals(info: SchemesInfo) -> Iterator[Interval]:
    for sample, points in info.panels:
        for point in points:
            label, score = info.rows[point.row], point.score
            if score is not None:
                series = "no adapter" if point.adapter == NO_ADAPTER else point.adapter
                yield Interval(label, series, score.mean, score.low, score.high, sample)
            if point.published is not None:
                yield Interval(label, PUBLISHED, point.published, panel=sample)


def _order(info: SchemesInfo, series: str) -> int:
    return len(info.adapters) if series == PUBLISHED else 0


def _label(result: CombinationResult) -> str:
    is_constant = result.curve == "constant"
    return result.scheme if is_constant else f"{result.scheme}, {result.curve.replace('_', ' ')}"
