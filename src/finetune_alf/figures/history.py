"""Optimisation history: the score of each trial, and the best score so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.figures.style import GREY, color, styled_figure


@dataclass(frozen=True)
class HistoryInfo:
    """Scored trials, the best score up to each of them, and the numbers of trials without a score."""

    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[float, ...]
    unscored: tuple[int, ...]


def history_info(scores: Mapping[int, float | None]) -> HistoryInfo:
    """Sort scores by trial number; None is a trial that failed or was pruned."""
    scored = {number: score for number, score in sorted(scores.items()) if score is not None}
    best: list[float] = []
    for score in scored.values():
        best.append(max(score, best[-1]) if best else score)
    unscored = tuple(sorted(number for number, score in scores.items() if score is None))
    return HistoryInfo(tuple(scored), tuple(scored.values()), tuple(best), unscored)


def optimisation_history(scores: Mapping[int, float | None], metric: str = "score") -> bytes:
    """Draw score over trial number and the best score so far; crosses at the bottom are trials without a score."""
    info = history_info(scores)
    with styled_figure(6.5, 3.4) as drawing:
        axes = drawing.axes[0]
        axes.plot(info.numbers, info.scores, linestyle="none", marker="o", markersize=4, color=GREY, label="trial")
        axes.step(info.numbers, info.best, where="post", color=color(1), linewidth=2, label="best so far")
        if info.unscored:
            bottom = [0.03] * len(info.unscored)
            marks = {"linestyle": "none", "marker": "x", "color": "black", "transform": axes.get_xaxis_transform()}
            axes.plot(info.unscored, bottom, **marks, label="no score (failed or pruned)")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="trial number", ylabel=f"validation {metric.replace('_', ' ')}")
        drawing.figure.legend(loc="outside upper center", ncols=3)
        return drawing.png()
