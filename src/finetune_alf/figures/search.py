"""The search: the score of each trial, and what became of the registered ones on texts that the search never saw."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.figures.palette import GREY, colors, shapes
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.trial_table import NONE_PICKED, PICKED, TrialRow, packed, pick, trial_tooltip, unpacked

N_TICKS = 5
TRIAL = "#8b95a1"


@dataclass(frozen=True)
class ScorePath:
    """A scheme's score in the search, confirmed by fresh seeds on unseen texts, and on test texts; None if unknown."""

    scheme: str
    trial: int | None
    search: float | None
    confirmed: Estimate | None
    test: Estimate | None


@dataclass(frozen=True)
class SearchInfo:
    """A search: its trials, and the score of plain fine-tuning in it.

    From `low` to `high` the score of plain fine-tuning would lie on other texts, in 95 % of draws; None if unknown.
    """

    metric: str
    addresses: tuple[str, ...]
    trials: tuple[TrialRow, ...]
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    paths: tuple[ScorePath, ...] = ()

    @property
    def best(self) -> TrialRow | None:
        """The trial with the highest score; of equal ones, the earliest."""
        scored = [trial for trial in self.trials if trial.score is not None]
        return max(scored, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)


def search_chart(info: SearchInfo, name: str = "search") -> Picture:
    """Draw scores by trial number, then the paths of the registered schedules; `name` is that of the view.

    A click on a trial sets the parameter `pick`.
    """
    import altair as alt

    layers = [*_reference(alt, info), *_trials(alt, info, name), *_paths(alt, info)]
    chart = alt.layer(*layers).properties(name=name, width=560, height=300)
    return Picture.of(chart, search_in_words(info), _data(info))


def search_in_words(info: SearchInfo) -> str:
    """Return the best trial, the noise, and the path of each registered schedule."""
    return " ".join(_sentences(info))


def _sentences(info: SearchInfo) -> Iterator[str]:
    n_scored = sum(trial.score is not None for trial in info.trials)
    yield f"{info.metric} of {len(info.trials)} trials, {n_scored} with a score."
    if info.best:
        yield f"The best is trial {info.best.number} with {info.best.score:.3f}."
    if info.baseline is not None:
        noise = f"; on other texts it would be {info.low:.3f} to {info.high:.3f}" if info.low is not None else ""
        yield f"Plain fine-tuning scored {info.baseline:.3f} in the same search{noise}."
    for path in info.paths:
        steps = [
            f"{place} {score}"
            for place, score in (
                ("search", None if path.search is None else f"{path.search:.3f}"),
                ("confirmed", _written(path.confirmed)),
                ("test", _written(path.test)),
            )
            if score
        ]
        yield f"{path.scheme}: {', '.join(steps)}."


def _written(score: Estimate | None) -> str | None:
    return None if score is None else f"{score.mean:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _reference(alt: Any, info: SearchInfo) -> Iterator[Any]:
    """Yield the noise band and the line of plain fine-tuning, as far as the trials go."""
    if info.baseline is None:
        return
    base = alt.Chart(alt.NamedData("baseline")).encode(x=_x(alt, info, "from"), x2="to:Q")
    if info.low is not None:
        yield base.mark_rect(color=GREY, opacity=0.16).encode(y=_score(alt, info, "low"), y2="high:Q")
    yield base.mark_rule(color=GREY, strokeDash=[5, 3]).encode(y=_score(alt, info, "baseline"))


def _trials(alt: Any, info: SearchInfo, name: str) -> Iterator[Any]:
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
        .properties(name=f"{name}_trials")
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
    looks = alt.Scale(domain=schemes, range=shapes(schemes))
    yield (
        base.transform_filter("isValid(datum.low)")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            y=_score(alt, info, "mean"),
            shape=alt.Shape("scheme:N", scale=looks, legend=_legend(alt)),
        )
    )


def _data(info: SearchInfo) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the chart's data by name."""
    data = {"trials": packed(info.trials), "paths": [row for path in info.paths for row in _path_rows(info, path)]}
    if info.baseline is None:
        return data
    noise = {key: round(end, 4) for key, end in (("low", info.low), ("high", info.high)) if end is not None}
    ends = {"from": -0.5, "to": _n_numbers(info) - 0.5}
    return data | {"baseline": [{**ends, "baseline": round(info.baseline, 4), **noise}]}


def _path_rows(info: SearchInfo, path: ScorePath) -> Iterator[dict[str, Any]]:
    confirmed_at, test_at = _columns(info)
    order = [each.scheme for each in info.paths].index(path.scheme)
    shift = (order - (len(info.paths) - 1) / 2) * 0.14 * (test_at - confirmed_at)  # so that intervals do not overlap
    if path.search is not None and path.trial is not None:
        row = {"scheme": path.scheme, "stage": "search", "at": path.trial, "mean": round(path.search, 4)}
        yield row | {"shown": f"{path.search:.3f}"}
    for stage, at, score in (("confirmed", confirmed_at, path.confirmed), ("test", test_at, path.test)):
        if score:
            row = {"scheme": path.scheme, "stage": stage, "at": round(at + shift, 2), "shown": _written(score)}
            yield row | {key: round(getattr(score, key), 4) for key in ("mean", "low", "high")}


def _columns(info: SearchInfo) -> tuple[float, float]:
    """Return where confirmed and test scores stand, to the right of the last trial."""
    n = _n_numbers(info)
    step = max(2.0, 0.17 * n)
    return n - 1 + step, n - 1 + 2 * step


def _n_numbers(info: SearchInfo) -> int:
    return 1 + max((trial.number for trial in info.trials), default=0)


def _x(alt: Any, info: SearchInfo, field: str) -> Any:
    confirmed_at, test_at = _columns(info)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**6) if _n_numbers(info) / s <= N_TICKS + 1)
    ticks: list[float] = list(range(0, _n_numbers(info), step))
    end = test_at + 0.45 * (test_at - confirmed_at)
    labels = "format(datum.value, 'd')"
    if info.paths:
        ticks += [confirmed_at, test_at]
        short = "width < 420 ? 'conf.' : 'confirmed'"
        labels = f"datum.value == {confirmed_at} ? ({short}) : datum.value == {test_at} ? 'test' : {labels}"
    scale = alt.Scale(domain=[-0.5, end if info.paths else _n_numbers(info) - 0.5], nice=False)
    axis = alt.Axis(values=ticks, labelExpr=labels, grid=False, labelOverlap=False)
    return alt.X(
        f"{field}:Q",
        title="trial, then the registered ones on unseen texts" if info.paths else "trial",
        scale=scale,
        axis=axis,
    )


def _score(alt: Any, info: SearchInfo, field: str) -> Any:
    scale = alt.Scale(domain=list(_ends(info)), zero=False)
    return alt.Y(f"{field}:Q", title=info.metric, scale=scale, axis=alt.Axis(format=".2f"))


def _ends(info: SearchInfo) -> tuple[float, float]:
    """Return the ends of the axis of scores, so that all of them and all intervals are inside."""
    scores = [trial.score for trial in info.trials] + [info.baseline, info.low, info.high]
    for path in info.paths:
        scores += [path.search, *(end for each in (path.confirmed, path.test) if each for end in (each.low, each.high))]
    there = [score for score in scores if score is not None] or [0.0, 1.0]
    margin = 0.06 * (max(there) - min(there)) or 0.01
    return round(min(there) - 1.5 * margin, 3), round(max(there) + margin, 3)  # room for the crosses at the bottom


def _color(alt: Any, info: SearchInfo, field: str) -> Any:
    named = [trial.name for trial in info.trials if trial.name]
    schemes = list(dict.fromkeys([*(path.scheme for path in info.paths), *named]))
    legend = _legend(alt)
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=schemes, range=colors(schemes)), legend=legend)


def _legend(alt: Any) -> Any:
    return alt.Legend(title=None, symbolOpacity=1)
