"""The scores of a study's trials in the order they ran, and the best so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from finetune_alf.figures.style import GREY, color, styled_figure


@dataclass(frozen=True)
class HistoryInfo:
    """What the figure shows: scored trials, the best score up to each of them, and trials without a score."""

    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[float, ...]
    unscored: tuple[int, ...]


def history_info(scores: Mapping[int, float | None]) -> HistoryInfo:
    """Sort `{trial number: score, or None where it failed or was pruned}` by number."""
    scored = {number: score for number, score in sorted(scores.items()) if score is not None}
    best: list[float] = []
    for score in scored.values():
        best.append(max(score, best[-1]) if best else score)
    unscored = tuple(sorted(number for number, score in scores.items() if score is None))
    return HistoryInfo(tuple(scored), tuple(scored.values()), tuple(best), unscored)


def optimisation_history(scores: Mapping[int, float | None], metric: str = "score") -> bytes:
    """Draw score over trial number with the best so far; trials without a score are crosses at the bottom."""
    info = history_info(scores)
    with styled_figure(6.5, 3.4) as drawing:
        panel = drawing.axes[0]
        panel.plot(info.numbers, info.scores, linestyle="none", marker="o", markersize=4, color=GREY, label="trial")
        panel.step(info.numbers, info.best, where="post", color=color(1), linewidth=2, label="best so far")
        if info.unscored:
            bottom = [0.03] * len(info.unscored)
            marks = {"linestyle": "none", "marker": "x", "color": "black", "transform": panel.get_xaxis_transform()}
            panel.plot(info.unscored, bottom, **marks, label="no score (failed or pruned)")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.set(xlabel="trial number", ylabel=f"validation {metric.replace('_', ' ')}")
        drawing.figure.legend(loc="outside upper center", ncols=3)
        return drawing.png()
