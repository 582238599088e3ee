"""The test score against the number of labelled training texts: a line with intervals for each scheme."""

from typing import Any

from finetune_alf.experiments.labels.document import LabelsDocument, SizeResult
from finetune_alf.figures.style import GREY, color, marker, styled_figure

N_COLUMNS = 2
DODGE = 1.03
"""How far a scheme is drawn to the right of the one before it, as a factor of the number of texts."""


def labels_plot(document: LabelsDocument) -> bytes:
    """Draw each scheme's mean score with its 95 % interval by number of texts, a panel for each sample.

    Bands of many schemes would hide each other, so intervals are lines side by side. Dashed: the score of one
    prediction for all texts.
    """
    n = len(document.samples)
    n_rows = -(-n // N_COLUMNS)
    width = 1.0 + 4.6 * min(n, N_COLUMNS)
    with styled_figure(width, 1.0 + 3.6 * n_rows, n_axes=n, n_columns=N_COLUMNS) as drawing:
        for axes, (name, table) in zip(drawing.axes, document.samples.items(), strict=True):
            for index, (scheme, sizes) in enumerate(table.schemes.items()):
                _draw(axes, index, index - (len(table.schemes) - 1) / 2, scheme, sizes)
            axes.axhline(table.sample.majority_baseline, color=GREY, linestyle="--", linewidth=1)
            axes.set_xscale("log")
            axes.set_xticks(document.n_train, [f"{n_train:,}" for n_train in document.n_train])
            axes.minorticks_off()
            axes.set_title(name)
        drawing.figure.supxlabel("labelled training texts (dashed: one prediction for all)")
        drawing.figure.supylabel(f"test {document.metric.replace('_', ' ')}, 95 % interval")
        drawing.figure.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
        return drawing.png()


def _draw(axes: Any, index: int, steps: float, scheme: str, sizes: tuple[SizeResult, ...]) -> None:
    scored = {size.n_train * DODGE**steps: size.score for size in sizes if size.score}
    lows, highs = [score.low for score in scored.values()], [score.high for score in scored.values()]
    axes.vlines(list(scored), lows, highs, color=color(index), linewidth=1)
    means = [score.mean for score in scored.values()]
    axes.plot(list(scored), means, color=color(index), marker=marker(index), markersize=5, label=scheme)
