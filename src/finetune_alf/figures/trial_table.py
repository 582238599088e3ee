"""Trials as the compact rows that several pictures draw: rates are one text a trial, unpacked by the picture itself.

A study of 1,000 trials has up to 14,000 rates, and a page shows them several times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_alf.rates import rate_text

PICKED = "indexof(pick.trial || [], datum.trial) >= 0"
NONE_PICKED = "length(pick.trial || []) == 0"
"""Expressions on the parameter `pick`, whose value is `{"trial": [numbers]}`, of this or another picture."""


@dataclass(frozen=True)
class TrialRow:
    """A trial: its rates from the input up, its score or None, and the schedule that was made of it, if any."""

    number: int
    rates: tuple[float, ...]
    score: float | None
    state: str = "complete"
    name: str = ""


def packed(trials: Iterable[TrialRow]) -> list[dict[str, Any]]:
    """Return a row for each trial, with what is empty left out."""
    return [_row(trial) for trial in trials]


def unpacked(chart: Any, addresses: Sequence[str]) -> Any:
    """Return a chart of packed rows with the rate at each address as a text, in fields r0, r1 and so on.

    What rows leave out is in the fields `registered` and `ended`.
    """
    fields = {f"r{index}": f"split(datum.rates, ' ')[{index}]" for index in range(len(addresses))}
    fields |= {"registered": "datum.name || 'no'", "ended": "datum.state || 'complete'"}
    return chart.transform_calculate(**fields)


def trial_tooltip(alt: Any, addresses: Sequence[str], metric: str) -> list[Any]:
    """Return what hovering over an unpacked trial shows: number, score, state and all rates; `alt` is altair."""
    return [
        alt.Tooltip("trial:O"),
        alt.Tooltip("registered:N"),
        alt.Tooltip("score:Q", title=metric, format=".3f"),
        alt.Tooltip("ended:N", title="state"),
        *(alt.Tooltip(f"r{index}:N", title=address) for index, address in enumerate(addresses)),
    ]


def pick(alt: Any) -> Any:
    """Return the selection of trials by a click, and of several by clicks with the shift key."""
    return alt.selection_point(name="pick", fields=["trial"], on="click")


def _row(trial: TrialRow) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": trial.number, "rates": " ".join(map(rate_text, trial.rates))}
    row |= {"score": round(trial.score, 4)} if trial.score is not None else {"state": trial.state}
    return row | ({"name": trial.name} if trial.name else {})
