"""The figure of an adaptation: the training loss over the steps, and the loss on held-out texts before and after."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from finetune_alf.experiments.adapt.record import Losses, LossPoint
from finetune_alf.figures.style import color, marker, styled_figure


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


def loss_plot(points: Sequence[LossPoint], losses: Losses) -> bytes:
    """Draw the MLM loss against the steps."""
    info = loss_info(points, losses)
    with styled_figure(6.5, 3.2) as drawing:
        axes = drawing.axes[0]
        axes.plot(*zip(*info.train, strict=True), color=color(0), marker=marker(0), markersize=4, label="training")
        axes.plot(
            *zip(*info.held_out, strict=True),
            color=color(1),
            marker=marker(1),
            linestyle="--",
            label="held-out texts",
        )
        axes.set_xlabel("step")
        axes.set_ylabel("MLM loss, nats a token")
        axes.legend()
        return drawing.png()
