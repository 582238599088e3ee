"""The test error against the decay factor: a line for each rate, with the published one where there is one."""

from typing import Any

from finetune_alf.experiments.decay.document import DecayDocument, PairResult
from finetune_alf.figures.style import color, marker, styled_figure
from finetune_alf.report.numbers import rate


def decay_plot(document: DecayDocument) -> bytes:
    """Draw each rate's error with its 95 % intervals by factor (left), and the published errors (right)."""
    has_published = any(pair.published_error is not None for pair in document.pairs)
    factors = sorted({pair.factor for pair in document.pairs}, reverse=True)
    rates = list(dict.fromkeys(pair.rate for pair in document.pairs))
    with styled_figure(9.0 if has_published else 5.5, 4.0, n_axes=2 if has_published else 1) as drawing:
        for index, each in enumerate(rates):
            pairs = sorted((pair for pair in document.pairs if pair.rate == each), key=lambda pair: -pair.factor)
            style = {"color": color(index), "marker": marker(index), "label": rate(each)}
            _draw_ours(drawing.axes[0], pairs, factors, 0.06 * (index - (len(rates) - 1) / 2), style)
            if has_published:
                _draw_published(drawing.axes[1], pairs, factors, style)
        drawing.axes[0].set_title(f"{document.encoder.name} on {document.sample.name}, 95 % interval")
        drawing.axes[0].set_ylabel("test error")
        if has_published:
            drawing.axes[1].set_title("published: BERT-base on IMDb")
        for axes in drawing.axes:
            axes.set_xticks(range(len(factors)), [f"{factor:g}" for factor in factors])
        drawing.figure.supxlabel("decay factor from layer to layer")
        drawing.figure.legend(*drawing.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
        return drawing.png()


def _draw_ours(axes: Any, pairs: list[PairResult], factors: list[float], dodge: float, style: dict[str, str]) -> None:
    shown = {factors.index(pair.factor) + dodge: pair.accuracy for pair in pairs if pair.accuracy}
    axes.plot(list(shown), [1 - accuracy.mean for accuracy in shown.values()], markersize=5, **style)
    lows, highs = [1 - each.high for each in shown.values()], [1 - each.low for each in shown.values()]
    axes.vlines(list(shown), lows, highs, color=style["color"])


def _draw_published(axes: Any, pairs: list[PairResult], factors: list[float], style: dict[str, str]) -> None:
    shown = {factors.index(pair.factor): pair.published_error for pair in pairs if pair.published_error is not None}
    axes.plot(list(shown), list(shown.values()), markersize=5, linestyle="--", **style)
