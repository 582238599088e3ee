"""Learning curves of the registered trials, and of those that are picked in another picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from finetune_alf.figures.palette import colors, shapes
from finetune_alf.figures.picture import Picture
from finetune_alf.figures.trial_table import PICKED

Measure = Literal["score", "loss"]

MOST_TICKS = 10
"""The most epochs of which each has its number on the axis."""

PICKED_COLOR = "#8b95a1"


@dataclass(frozen=True)
class TrialCurve:
    """The epochs of a trial, None where a value was not measured; one with a `name` is drawn without being picked."""

    number: int
    scores: tuple[float | None, ...]
    losses: tuple[float | None, ...]
    name: str = ""


def chosen_curves(curves: Sequence[TrialCurve], measure: Measure, title: str, name: str) -> Picture:
    """Draw a measure by epoch for the trials with a name, and for those in the parameter `pick`.

    `pick` is `{"trial": [numbers]}`; `title` is that of the measure and `name` that of the view.
    """
    import altair as alt

    names = [curve.name for curve in curves if curve.name]
    n_epochs = max((len(_values(curve, measure)) for curve in curves), default=1)
    low, high = _ends(curves, measure)
    base = (
        alt.Chart(alt.NamedData("curves"))
        .transform_calculate(epoch="sequence(1, length(datum.values) + 1)")
        .transform_flatten(["values", "epoch"], as_=["value", "epoch"])
        .transform_calculate(label="isValid(datum.name) ? datum.name : 'trial ' + datum.trial")
        .encode(
            x=alt.X(
                "epoch:Q",
                axis=alt.Axis(format="d", grid=False, **_ticks(n_epochs)),
                scale=alt.Scale(domain=[1, max(2, n_epochs)], nice=False),
            ),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(domain=[low, high], zero=False)),
            tooltip=["label:N", "trial:O", "epoch:O", alt.Tooltip("value:Q", title=title, format=".3f")],
        )
    )
    picked = base.transform_filter(f"!isValid(datum.name) && {PICKED}").encode(detail="trial:N")
    chart = alt.layer(
        *_named(alt, base, names),
        picked.mark_line(
            strokeWidth=1.5, strokeDash=[4, 2], color=PICKED_COLOR, clip=True, point={"color": PICKED_COLOR}
        ),
        picked.transform_filter("datum.epoch == length(datum.values)")
        .mark_text(align="right", dy=-8, fontSize=11)
        .encode(text="label:N"),
    ).add_params(alt.param(name="pick", value={"trial": []}))
    return Picture.of(
        chart.properties(name=name, width=560, height=240),
        curves_in_words(curves, measure, title),
        {"curves": [_row(curve, measure) for curve in curves]},
    )


def _ticks(n_epochs: int) -> dict[str, Any]:
    """Return where the axis has numbers: at each of a few epochs; of few epochs Vega would show halves."""
    return {"values": list(range(1, max(2, n_epochs) + 1))} if n_epochs <= MOST_TICKS else {"tickMinStep": 1}


def _named(alt: Any, base: Any, names: Sequence[str]) -> Iterator[Any]:
    """Yield the layers of the trials with a name; none without any, since an empty legend spoils the chart."""
    if not names:
        return
    legend = alt.Legend(title=None)
    shown = base.transform_filter("isValid(datum.name)").encode(
        color=alt.Color("name:N", scale=alt.Scale(domain=list(names), range=colors(names)), legend=legend)
    )
    shape = alt.Shape("name:N", scale=alt.Scale(domain=list(names), range=shapes(names)), legend=legend)
    yield shown.mark_line(strokeWidth=2)
    yield shown.mark_point(filled=True, size=45, opacity=1).encode(shape=shape)


def curves_in_words(curves: Sequence[TrialCurve], measure: Measure, title: str) -> str:
    """Return the values of each trial with a name by epoch."""
    shown = " ".join(
        f"{curve.name} (trial {curve.number}): {', '.join(_written(value) for value in _values(curve, measure))}."
        for curve in curves
        if curve.name
    )
    return f"{title} by epoch. {shown}".rstrip()


def _ends(curves: Sequence[TrialCurve], measure: Measure) -> tuple[float, float]:
    """Return the ends of the axis: all values of the trials with a name, and 99.5 % of the others'."""
    values = sorted(value for curve in curves for value in _values(curve, measure) if value is not None)
    named = [value for curve in curves if curve.name for value in _values(curve, measure) if value is not None]
    if not values:
        return 0.0, 1.0
    cut = len(values) // 200
    low, high = min(values[cut], *named, values[-1]), max(values[-1 - cut], *named, values[0])
    margin = max(0.05 * (high - low), 0.001) if high > low else 0.01
    return round(low - margin, 3), round(high + margin, 3)


def _row(curve: TrialCurve, measure: Measure) -> dict[str, Any]:
    values = [None if value is None else round(value, 3) for value in _values(curve, measure)]
    return {"trial": curve.number, "values": values, **({"name": curve.name} if curve.name else {})}


def _values(curve: TrialCurve, measure: Measure) -> tuple[float | None, ...]:
    return curve.scores if measure == "score" else curve.losses


def _written(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
