"""The records of the search: trials, noise, and the paths of registered schedules; its words and its rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from finetune_alf.documents import Estimate
from finetune_alf.figures.trial_table import TrialRow, packed


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


def search_in_words(info: SearchInfo) -> str:
    """Return the best trial, the noise, and the path of each registered schedule."""
    return " ".join(_sentences(info))


def _sentences(info: SearchInfo) -> Iterator[str]:
    n_scored = sum(trial.score is not None for trial in info.trials)
    yield f"{info.metric} of {len(info.trials)} trial{'s' * (len(info.trials) != 1)}, {n_scored} with a score."
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


def search_rows(info: SearchInfo) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the chart's data by name."""
    by_path = [list(_path_rows(info, path)) for path in info.paths]
    heads = [_head_row(info, *pair) for rows in by_path for pair in pairwise(rows)]
    data = {"trials": packed(info.trials), "paths": [row for rows in by_path for row in rows], "heads": heads}
    if info.baseline is None:
        return data
    noise = {key: round(end, 4) for key, end in (("low", info.low), ("high", info.high)) if end is not None}
    ends = {"from": -0.5, "to": n_numbers(info) - 0.5}
    return data | {"baseline": [{**ends, "baseline": round(info.baseline, 4), **noise}]}


def _path_rows(info: SearchInfo, path: ScorePath) -> Iterator[dict[str, Any]]:
    confirmed_at, test_at = columns(info)
    order = [each.scheme for each in info.paths].index(path.scheme)
    shift = (order - (len(info.paths) - 1) / 2) * 0.14 * (test_at - confirmed_at)  # so that intervals do not overlap
    if path.search is not None and path.trial is not None:
        row = {"scheme": path.scheme, "stage": "search", "at": path.trial, "mean": round(path.search, 4)}
        yield row | {"shown": f"{path.search:.3f}"}
    for stage, at, score in (("confirmed", confirmed_at, path.confirmed), ("test", test_at, path.test)):
        if score:
            row = {"scheme": path.scheme, "stage": stage, "at": round(at + shift, 2), "shown": _written(score)}
            yield row | {key: round(getattr(score, key), 4) for key in ("mean", "low", "high")}


def _head_row(info: SearchInfo, start: Mapping[str, Any], end: Mapping[str, Any]) -> dict[str, Any]:
    """Return the head of an arrow in the middle of its line; `run` and `rise` are shares of the chart's sides."""
    (left, right), (low, high) = trial_ends(info), score_ends(info)
    middle = {key: round((start[key] + end[key]) / 2, 4) for key in ("at", "mean")}
    run, rise = (end["at"] - start["at"]) / (right - left), (end["mean"] - start["mean"]) / (high - low)
    return {"scheme": end["scheme"], "stage": end["stage"], **middle, "run": round(run, 4), "rise": round(rise, 4)}


def columns(info: SearchInfo) -> tuple[float, float]:
    """Return where confirmed and test scores stand, to the right of the last trial."""
    n = n_numbers(info)
    step = max(2.0, 0.17 * n)
    return n - 1 + step, n - 1 + 2 * step


def trial_ends(info: SearchInfo) -> tuple[float, float]:
    """Return the ends of the axis of trials, with room for confirmed and test scores where there are some."""
    if not info.paths:
        return -0.5, n_numbers(info) - 0.5
    confirmed_at, test_at = columns(info)
    return -0.5, test_at + 0.45 * (test_at - confirmed_at)


def n_numbers(info: SearchInfo) -> int:
    """Return how many numbers the axis of trials has."""
    return 1 + max((trial.number for trial in info.trials), default=0)


def score_ends(info: SearchInfo) -> tuple[float, float]:
    """Return the ends of the axis of scores, so that all of them and all intervals are inside."""
    scores = [trial.score for trial in info.trials] + [info.baseline, info.low, info.high]
    for path in info.paths:
        scores += [path.search, *(end for each in (path.confirmed, path.test) if each for end in (each.low, each.high))]
    there = [score for score in scores if score is not None] or [0.0, 1.0]
    span = max(there) - min(there)
    margin = max(0.06 * span, 0.001) if span else 0.01
    return round(min(there) - 1.5 * margin, 3), round(max(there) + margin, 3)  # room for the crosses at the bottom
