"""Optimisation history: the score of each trial, and the best score so far."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finetune_alf.figures.layout import ROWS, WIDTH
from finetune_alf.figures.palette import GREY, ORANGE, PINK
from finetune_alf.figures.picture import Picture

KINDS = {"trial": (GREY, "circle"), "best so far": (ORANGE, "stroke"), "no score": (PINK, "cross")}
"""Colour and shape of what the history shows; without a score are failed and pruned trials."""


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


def optimisation_history(scores: Mapping[int, float | None], metric: str = "score", name: str = "history") -> Picture:
    """Draw score over trial number and the best score so far; crosses at the bottom are trials without a score.

    `name` is that of the view.
    """
    import altair as alt

    info, title = history_info(scores), f"validation {metric.replace('_', ' ')}"
    rows = list(_rows(info))
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    legend = alt.Legend(title=None, columns=len(KINDS), symbolSize=80, symbolOpacity=1)
    axis = alt.Axis(tickMinStep=1, grid=False)
    base = alt.Chart().encode(
        x=alt.X("trial:Q", title="trial number", axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8)),
        color=alt.Color(
            "kind:N", scale=alt.Scale(domain=kinds, range=[KINDS[kind][0] for kind in kinds]), legend=legend
        ),
    )
    points = base.encode(
        shape=alt.Shape(
            "kind:N", scale=alt.Scale(domain=kinds, range=[KINDS[kind][1] for kind in kinds]), legend=legend
        )
    )
    best, score = (alt.Y(f"{key}:Q", title=title, scale=alt.Scale(zero=False)) for key in ("best", "score"))
    chart = alt.layer(
        base.transform_filter("datum.kind == 'best so far'")
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(y=best, tooltip=["trial:Q", alt.Tooltip("best:Q", title="best so far", format=".3f")]),
        points.transform_filter("datum.kind == 'trial'")
        .mark_point(filled=True, size=45)
        .encode(y=score, tooltip=["trial:Q", alt.Tooltip("score:Q", title=title, format=".3f")]),
        points.transform_filter("datum.kind == 'no score'")
        .mark_point(filled=True, size=55, yOffset=-7)
        .encode(y=alt.value("height"), tooltip=["trial:Q", alt.Tooltip("kind:N", title="result")]),
        data=alt.NamedData(ROWS),
    ).properties(name=name, width=WIDTH, height=230)
    return Picture.of(chart, history_in_words(info, title), {ROWS: rows})


def history_in_words(info: HistoryInfo, title: str) -> str:
    """Return the best score, its trial, the range of scores, and how many trials have none."""
    without = f" {len(info.unscored)} without a score (failed or pruned)." if info.unscored else ""
    if not info.scores:
        return f"No trial has a score.{without}"
    best = max(info.scores)
    first = info.numbers[info.scores.index(best)]
    return (
        f"Score of {len(info.scores)} trials in the order of the search: {title} from {min(info.scores):.3f} to "
        f"{best:.3f}, first reached by trial {first}.{without}"
    )


def _rows(info: HistoryInfo) -> Iterator[dict[str, Any]]:
    for number, score, best in zip(info.numbers, info.scores, info.best, strict=True):
        yield {"kind": "trial", "trial": number, "score": score, "best": best}
        yield {"kind": "best so far", "trial": number, "best": best}
    for number in info.unscored:
        yield {"kind": "no score", "trial": number}
