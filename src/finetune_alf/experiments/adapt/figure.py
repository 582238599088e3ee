"""Further pre-training: the training loss over the steps, and the loss on held-out texts before and after."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finetune_alf.figures.style import color, marker, styled_figure


@dataclass(frozen=True)
class AdaptationInfo:
    """What the figure shows: two lines of (step, loss)."""

    train: tuple[tuple[float, float], ...]
    held_out: tuple[tuple[float, float], tuple[float, float]]


def adaptation_info(points: Sequence[Mapping[str, float]], before: float, after: float) -> AdaptationInfo:
    """Sort `[{step, loss}]` into lines; a training loss stands at the middle of the steps that it is the mean of."""
    ends = [0.0, *(float(point["step"]) for point in points)]
    middles = [(start + end) / 2 for start, end in itertools.pairwise(ends)]
    train = tuple((middle, float(point["loss"])) for middle, point in zip(middles, points, strict=True))
    return AdaptationInfo(train, ((0.0, before), (ends[-1], after)))


def adaptation_plot(points: Sequence[Mapping[str, float]], before: float, after: float) -> bytes:
    """Draw the loss in nats a hidden token against the steps."""
    info = adaptation_info(points, before, after)
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
        axes.set_ylabel("loss, nats a hidden token")
        axes.legend()
        return drawing.png()
