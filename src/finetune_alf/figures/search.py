"""The search: the score of each trial, and what became of the registered ones on texts that the search never saw."""

from collections.abc import Iterator
from typing import Any

from finetune_alf.figures.palette import GREY, colors, shapes
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.search_info import SearchInfo, columns, n_numbers, score_ends, search_in_words, search_rows
from finetune_alf.figures.trial_table import NONE_PICKED, PICKED, pick, trial_tooltip, unpacked

N_TICKS = 5
TRIAL = "#8b95a1"


def search_chart(info: SearchInfo) -> Picture:
    """Draw scores by trial number, then the paths of the registered schedules.

    A click on a trial sets the parameter `pick`.
    """
    import altair as alt

    layers = [*_reference(alt, info), *_trials(alt, info), *_paths(alt, info)]
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


def _trials(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield the best score so far, the trials, the rings of the registered ones, and crosses without a score."""
    base = alt.Chart(alt.NamedData("trials"))
    shown = unpacked(base, info.addresses).encode(
        x=_x(alt, info, "trial"), tooltip=trial_tooltip(alt, info.addresses, info.metric)
    )
    scored = shown.transform_filter("isValid(datum.score)").encode(y=_score(alt, info, "score"))
    best = base.transform_filter("isValid(datum.score)").transform_window(
        best="max(score)", sort=[{"field": "trial"}], frame=[None, 0]
    )
    yield best.mark_line(interpolate="step-after", color=TRIAL, strokeWidth=1.2).encode(
        x=_x(alt, info, "trial"), y=_score(alt, info, "best")
    )
    size = max(14, min(60, 8000 // max(len(info.trials), 1)))
    yield (
        scored.mark_point(filled=True, size=size, color=TRIAL, cursor="pointer")
        .encode(opacity=alt.condition(f"{NONE_PICKED} || {PICKED}", alt.value(0.95), alt.value(0.3)))
        .add_params(pick(alt))
        .properties(name="search_trials")
    )
    yield scored.transform_filter(PICKED).mark_point(size=3 * size, color=TRIAL, strokeWidth=1.5)
    if any(trial.name for trial in info.trials):
        rings = scored.transform_filter("isValid(datum.name)").encode(color=_color(alt, info, "name"))
        yield rings.mark_point(size=170, strokeWidth=2.5, shape="circle")
    if any(trial.score is None for trial in info.trials):
        yield (
            shown.transform_filter("!isValid(datum.score)")
            .mark_point(shape="M-1,-1L1,1M-1,1L1,-1", size=40, color=TRIAL, strokeWidth=1.5)
            .encode(y=alt.value(alt.expr("height - 7")))
        )


def _paths(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield for each registered schedule the line from search to confirmation to test, with intervals."""
    if not info.paths:
        return
    base = alt.Chart(alt.NamedData("paths")).encode(
        x=_x(alt, info, "at"),
        color=_color(alt, info, "scheme"),
        tooltip=["scheme:N", "stage:N", alt.Tooltip("shown:N", title=info.metric)],
    )
    yield base.mark_line(strokeWidth=1.5, opacity=0.7).encode(y=_score(alt, info, "mean"))
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
    end = test_at + 0.45 * (test_at - confirmed_at)
    labels = "format(datum.value, 'd')"
    if info.paths:
        ticks += [confirmed_at, test_at]
        short = "width < 420 ? 'conf.' : 'confirmed'"
        labels = f"datum.value == {confirmed_at} ? ({short}) : datum.value == {test_at} ? 'test' : {labels}"
    scale = alt.Scale(domain=[-0.5, end if info.paths else n_numbers(info) - 0.5], nice=False)
    axis = alt.Axis(values=ticks, labelExpr=labels, grid=False, labelOverlap=False)
    return alt.X(
        f"{field}:Q",
        title="trial, then the registered ones on unseen texts" if info.paths else "trial",
        scale=scale,
        axis=axis,
    )


def _score(alt: Any, info: SearchInfo, field: str) -> Any:
    scale = alt.Scale(domain=list(score_ends(info)), zero=False)
    return alt.Y(f"{field}:Q", title=info.metric, scale=scale, axis=alt.Axis(format=".2f"))


def _color(alt: Any, info: SearchInfo, field: str) -> Any:
    named = [trial.name for trial in info.trials if trial.name]
    schemes = list(dict.fromkeys([*(path.scheme for path in info.paths), *named]))
    legend = _legend(alt)
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=schemes, range=colors(schemes)), legend=legend)


def _legend(alt: Any) -> Any:
    return alt.Legend(title=None, symbolOpacity=1)
