"""The figure of an adaptation: the training loss over the steps, and the loss on held-out texts before and after."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.experiments.adapt.record import Losses, LossPoint
from finetune_alf.figures.line_points import LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.picture import Picture


@dataclass(frozen=True)
class LossInfo:
    """The two lines of the figure, as (step, loss)."""

    train: tuple[tuple[float, float], ...]
    held_out: tuple[tuple[float, float], tuple[float, float]]


def loss_info(points: Sequence[LossPoint], losses: Losses) -> LossInfo:
    """Return the lines; a training loss lies at the middle of the steps that it is the mean of."""
    ends = [0, *(point.step for point in points)]
    middles = [(start + end) / 2 for start, end in itertools.pairwise(ends)]
    train = tuple((middle, point.loss) for middle, point in zip(middles, points, strict=True))
    return LossInfo(train, ((0.0, losses.before), (float(ends[-1]), losses.after)))


def loss_plot(points: Sequence[LossPoint], losses: Losses, name: str = "adapt") -> Picture:
    """Draw the MLM loss against the steps; `name` is that of the view."""
    info = loss_info(points, losses)
    shown = {"training": info.train, "held-out texts": info.held_out}
    rows = [LinePoint(series, *point) for series, own in shown.items() for point in own]
    return lines(rows, LinesStyle(x="step", y="MLM loss, nats a token"), name, "Loss of further pre-training by step.")
