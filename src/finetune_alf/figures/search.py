"""The search: the score of each trial, and what became of the registered ones on texts that the search never saw."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.figures.palette import GREY, colors, shapes
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.search_info import (
    SearchInfo,
    columns,
    n_numbers,
    score_ends,
    search_in_words,
    search_rows,
    trial_ends,
)
from finetune_alf.figures.trial_table import NONE_PICKED, PICKED, pick, trial_tooltip, unpacked

N_TICKS = 5
TRIAL = "#8b95a1"

_HEAD = "M0,-1L0.75,0.8L-0.75,0.8Z"
"""The head of an arrow that points up."""

_AHEAD = {"expr": "90 + 180 / PI * atan2(-datum.rise * height, datum.run * width)"}
"""Where the head of an arrow points, in degrees from the top: along its line, whatever the size of the chart."""


def search_chart(info: SearchInfo) -> Picture:
    """Draw scores by trial number, then the paths of the registered schedules.

    A click on a trial sets the parameter `pick`. So the trials lie on top of all else.
    """
    import altair as alt

    layers = [*_reference(alt, info), *_around_trials(alt, info), *_paths(alt, info), _trials(alt, info)]
    chart = alt.layer(*layers).properties(name="search", width=560, height=300)
    return Picture.of(chart, search_in_words(info), search_rows(info))


def _reference(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield the noise band and the line of plain fine-tuning, as far as the trials go."""
    if info.baseline is None:
        return
    base = alt.Chart(alt.NamedData("baseline")).encode(x=_x(alt, info, "from"), x2="to:Q")
    if info.low is not None:
        yield base.mark_rect(color=GREY, opacity=0.16).encode(y=_score(alt, info, "low"), y2="high:Q")
    yield base.mark_rule(color=GREY, strokeDash=[5, 3]).encode(y=_score(alt, info, "baseline"))


def _shown_trials(alt: Any, info: SearchInfo) -> Any:
    """Return a chart of the trials without marks; hover shows their rates."""
    tooltip = trial_tooltip(alt, info.addresses, info.metric)
    return unpacked(alt.Chart(alt.NamedData("trials")), info.addresses).encode(
        x=_x(alt, info, "trial"), tooltip=tooltip
    )


def _scored_trials(alt: Any, info: SearchInfo) -> Any:
    return _shown_trials(alt, info).transform_filter("isValid(datum.score)").encode(y=_score(alt, info, "score"))


def _trials(alt: Any, info: SearchInfo) -> Any:
    """Return the layer of the trials with a score, which can be picked."""
    return (
        _scored_trials(alt, info)
        .mark_point(filled=True, size=_size(info), color=TRIAL, cursor="pointer")
        .encode(opacity=alt.condition(f"{NONE_PICKED} || {PICKED}", alt.value(0.95), alt.value(0.3)))
        .add_params(pick(alt))
        .properties(name="search_trials")
    )


def _around_trials(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield the best score so far, crosses without a score, and the rings of picked and of registered trials."""
    best = (
        alt.Chart(alt.NamedData("trials"))
        .transform_filter("isValid(datum.score)")
        .transform_window(best="max(score)", sort=[{"field": "trial"}], frame=[None, 0])
    )
    yield best.mark_line(interpolate="step-after", color=TRIAL, strokeWidth=1.2).encode(
        x=_x(alt, info, "trial"), y=_score(alt, info, "best")
    )
    if any(trial.score is None for trial in info.trials):
        yield (
            _shown_trials(alt, info)
            .transform_filter("!isValid(datum.score)")
            .mark_point(shape="M-1,-1L1,1M-1,1L1,-1", size=40, color=TRIAL, strokeWidth=1.5)
            .encode(y=alt.value(alt.expr("height - 7")))
        )
    scored = _scored_trials(alt, info)
    yield scored.transform_filter(PICKED).mark_point(size=3 * _size(info), color=TRIAL, strokeWidth=1.5)
    if any(trial.name for trial in info.trials):
        rings = scored.transform_filter("isValid(datum.name)").encode(color=_color(alt, info, "name"))
        yield rings.mark_point(size=170, strokeWidth=2.5, shape="circle")


def _size(info: SearchInfo) -> int:
    """Return the size of a trial's point in square pixels."""
    return max(14, min(60, 8000 // max(len(info.trials), 1)))


def _paths(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield for each registered schedule the arrows from search to confirmation to test, with intervals."""
    if not info.paths:
        return
    base = alt.Chart(alt.NamedData("paths")).encode(
        x=_x(alt, info, "at"),
        color=_color(alt, info, "scheme"),
        tooltip=["scheme:N", "stage:N", alt.Tooltip("shown:N", title=info.metric)],
    )
    yield base.mark_line(strokeWidth=1.5, opacity=0.7).encode(y=_score(alt, info, "mean"))
    heads = alt.Chart(alt.NamedData("heads")).mark_point(shape=_HEAD, filled=True, size=90, opacity=1, angle=_AHEAD)
    yield heads.encode(x=_x(alt, info, "at"), y=_score(alt, info, "mean"), color=_color(alt, info, "scheme"))
    yield (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.5)
        .encode(y=_score(alt, info, "low"), y2="high:Q")
    )
    schemes = [path.scheme for path in info.paths]
    styles = alt.Scale(domain=schemes, range=shapes(schemes))
    yield (
        base.transform_filter("isValid(datum.low)")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            y=_score(alt, info, "mean"),
            shape=alt.Shape("scheme:N", scale=styles, legend=_legend(alt)),
        )
    )


def _x(alt: Any, info: SearchInfo, field: str) -> Any:
    confirmed_at, test_at = columns(info)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**6) if n_numbers(info) / s <= N_TICKS + 1)
    ticks: list[float] = list(range(0, n_numbers(info), step))
    labels = "format(datum.value, 'd')"
    if info.paths:
        ticks += [confirmed_at, test_at]
        short = "width < 420 ? 'conf.' : 'confirmed'"
        labels = f"datum.value == {confirmed_at} ? ({short}) : datum.value == {test_at} ? 'test' : {labels}"
    scale = alt.Scale(domain=list(trial_ends(info)), nice=False)
    axis = alt.Axis(values=ticks, labelExpr=labels, grid=False, labelOverlap=False)
    return alt.X(
        f"{field}:Q",
        title="trial, then the registered ones on unseen texts" if info.paths else "trial",
        scale=scale,
        axis=axis,
    )


def _score(alt: Any, info: SearchInfo, field: str) -> Any:
    scale = alt.Scale(domain=list(score_ends(info)), zero=False)
    return alt.Y(f"{field}:Q", title=info.metric, scale=scale, axis=alt.Axis(format="f"))


def _color(alt: Any, info: SearchInfo, field: str) -> Any:
    named = [trial.name for trial in info.trials if trial.name]
    schemes = list(dict.fromkeys([*(path.scheme for path in info.paths), *named]))
    legend = _legend(alt)
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=schemes, range=colors(schemes)), legend=legend)


def _legend(alt: Any) -> Any:
    return alt.Legend(title=None, symbolOpacity=1)
