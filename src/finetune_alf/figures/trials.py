"""Every trial: the rate at each address in colour, a row for each trial, by score or by number."""

from collections.abc import Sequence
from typing import Any

from finetune_alf.figures.picture import Picture
from finetune_alf.figures.rate_scale import address_axis, rate_color
from finetune_alf.figures.trial_table import NONE_PICKED, PICKED, TrialRow, packed, pick
from finetune_alf.rates import rate_text

ORDERS = ("score", "number")
"""What rows can be in the order of, besides the rate at each address, the highest first."""

N_LABELLED = 60
"""With more trials than this rows are too low for a label each."""

N_IN_WORDS = 5


def trials_chart(trials: Sequence[TrialRow], addresses: Sequence[str], metric: str) -> Picture:
    """Draw a row for each trial.

    The parameter `order` is "score", "number" or an address; a click on a row sets the parameter `pick`.
    """
    import altair as alt

    bind = alt.binding_select(options=[*ORDERS, *addresses], name="order by ")
    order = alt.param(name="order", value=ORDERS[0], bind=bind)
    base = _cells(alt, addresses).encode(
        x=alt.X(
            "address:N",
            sort=list(addresses),
            title="address, from the input up",
            axis=address_axis(alt, "bandwidth('trials_x')"),
        ),
        y=alt.Y("label:N", sort=alt.EncodingSortField("place", op="min"), title=None, axis=_rows(alt, len(trials))),
        tooltip=[
            alt.Tooltip("trial:O"),
            alt.Tooltip("registered:N"),
            alt.Tooltip("score:Q", title=metric, format=".3f"),
            alt.Tooltip("address:N"),
            alt.Tooltip("shown:N", title="rate"),
        ],
    )
    cells = base.mark_rect(cursor="pointer").encode(
        color=rate_color(alt, [rate for trial in trials for rate in trial.rates]),
        opacity=alt.condition(f"{NONE_PICKED} || {PICKED}", alt.value(1), alt.value(0.3)),
    )
    chart = cells.add_params(order, pick(alt)).properties(name="trials", width=560, height=_height(len(trials)))
    return Picture.of(chart, trials_in_words(trials, addresses, metric), {"trials": packed(trials)})


def _cells(alt: Any, addresses: Sequence[str]) -> Any:
    """Return a chart with a row for each trial and address, its label, and its place in the order."""
    label = "datum.trial + ' · ' + (isValid(datum.score) ? format(datum.score, '.3f') : datum.state)"
    by_rate = f"-toNumber(split(datum.rates, ' ')[indexof({list(addresses)}, order)])"
    by_score = "isValid(datum.score) ? -datum.score : 1e9 + datum.trial"
    return (
        alt.Chart(alt.NamedData("trials"))
        .transform_calculate(
            rate_list="split(datum.rates, ' ')",
            address_list=str(list(addresses)),
            registered="datum.name || 'no'",
            label=f"{label} + (isValid(datum.name) ? ' · ' + datum.name : '')",
            place=f"order == 'number' ? datum.trial : order == 'score' ? ({by_score}) : {by_rate}",
        )
        .transform_flatten(["rate_list", "address_list"], as_=["shown", "address"])
        .transform_calculate(rate="toNumber(datum.shown)")
    )


def trials_in_words(trials: Sequence[TrialRow], addresses: Sequence[str], metric: str) -> str:
    """Return the rates of the best trials."""
    scored = [trial for trial in trials if trial.score is not None]
    best = sorted(scored, key=lambda trial: (-(trial.score or 0.0), trial.number))[:N_IN_WORDS]
    rows = " ".join(
        f"Trial {trial.number}, {metric} {trial.score:.3f}: "
        f"{', '.join(f'{a} {rate_text(r)}' for a, r in zip(addresses, trial.rates, strict=True))}."
        for trial in best
    )
    return f"Learning rates of {len(trials)} trial{'s' * (len(trials) != 1)} by address. The best {len(best)}: {rows}"


def _rows(alt: Any, n: int) -> Any:
    return alt.Axis(labels=n <= N_LABELLED, ticks=False, domain=False)


def _height(n: int) -> int:
    return min(max(14 * n, 60), 840) if n <= N_LABELLED else min(4 * n, 700)
