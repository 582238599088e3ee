"""The validation error against the step: a line for each rate, with a band over its seeds."""

from typing import Any

from finetune_alf.experiments.forgetting.document import ForgettingDocument, RateResult
from finetune_alf.figures.style import GREY, color, marker, styled_figure
from finetune_alf.report.numbers import rate

MOST_MARKERS = 12
"""Lines with more points than this are drawn without markers on all of them."""


def forgetting_plot(document: ForgettingDocument) -> bytes:
    """Draw each rate's mean error over its seeds, from the lowest to the highest seed as a band.

    Dashed: the error of predicting the most frequent class for all texts.
    """
    with styled_figure(7.5, 4.4) as drawing:
        (axes,) = drawing.axes
        for index, result in enumerate(document.rates):
            _draw(axes, index, result)
        axes.axhline(document.sample.majority_error, color=GREY, linestyle="--", linewidth=1, label="one class for all")
        axes.set(xlabel="step", ylabel="validation error", ylim=(0, None), xlim=(0, document.n_steps))
        axes.set_title(f"{document.encoder.name} on {document.sample.name}")
        drawing.figure.legend(loc="outside lower center", ncols=5)
        return drawing.png()


def _draw(axes: Any, index: int, result: RateResult) -> None:
    steps = [error.step for error in result.errors]
    lows, highs = [error.low for error in result.errors], [error.high for error in result.errors]
    axes.fill_between(steps, lows, highs, color=color(index), alpha=0.18, linewidth=0)
    axes.plot(
        steps,
        [error.mean for error in result.errors],
        color=color(index),
        marker=marker(index),
        markersize=4,
        markevery=max(1, len(steps) // MOST_MARKERS),
        label=rate(result.rate),
    )
