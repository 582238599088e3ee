"""The time that finished fits took, read from the files of their stage."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import Field

from finetune_alf.json_files import read_jsonl
from finetune_alf.running.cell_runs import RUN
from finetune_alf.spec import Spec
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.result import RecordedFit

PAUSE_S = 60.0
"""A longer gap between two fits counts as a pause: the stage was stopped."""

Span = tuple[float, float]


class ElapsedTime(Spec):
    """How many fits of a stage are finished, the mean seconds of one, and those of all, without pauses.

    `kinds` is the number of each kind, where it is known.
    """

    n_fits: int
    fit_s: float
    seconds: float
    kinds: dict[str, int] = Field(default_factory=dict)


class FinishedFit(Spec):
    """A finished fit: its kind, how many seconds it took, and when it began in seconds since 1970, where that is known.

    A cell's line has that with its first epoch: a linear model has no epochs.
    """

    kind: str
    started: float | None
    seconds: float


def trials_elapsed(trials: Sequence[TrialRecord]) -> ElapsedTime | None:
    """Return the time of finished trials, of which some may have failed; None without any."""
    if not trials:
        return None
    seconds = [record.result.seconds for record in trials if record.result]
    spans = [(record.started_ms / 1000, record.ended_ms / 1000) for record in trials]
    return ElapsedTime(n_fits=len(trials), fit_s=fmean(seconds or [0.0]), seconds=busy_seconds(spans))


def finished_cells(
    path: Path, kind_of: Callable[[Mapping[str, Any]], str | None], digests: Container[str]
) -> list[FinishedFit]:
    """Return the fits of a file of cells on samples with these digests, one a line; cells without a kind are left out.

    Files of earlier versions do not say on which rows a cell was fitted.
    """
    rows = read_jsonl(path, is_whole=False) if path.exists() else []
    drawn = [row.get(RUN, {}).get("tags", {}).get("alf.sample.digest") for row in rows]
    cells = [(kind_of(row), row) for row, own in zip(rows, drawn, strict=True) if own is None or own in digests]
    return [_finished(kind, cell) for kind, cell in cells if kind is not None]


def _finished(kind: str, cell: Mapping[str, Any]) -> FinishedFit:
    first = next(iter(cell["epochs"]), None)
    started = first and first["ended_ms"] / 1000 - first["seconds"]
    return FinishedFit(kind=kind, started=started, seconds=cell["seconds"])


def finished_fit(kind: str, result: RecordedFit) -> FinishedFit:
    """Return a result of a ledger as a finished fit."""
    return FinishedFit(kind=kind, started=result.started_ms / 1000, seconds=result.seconds)


def elapsed_of(finished: Iterable[FinishedFit]) -> ElapsedTime | None:
    """Return the time of these fits together; None without any."""
    fits = list(finished)
    spans = [(fit.started, fit.started + fit.seconds) for fit in fits if fit.started is not None]
    elapsed = _elapsed([fit.seconds for fit in fits], spans)
    if elapsed is None:
        return None
    without_span = sum(fit.seconds for fit in fits if fit.started is None)
    kinds = dict(Counter(fit.kind for fit in fits))
    return elapsed.model_copy(update={"seconds": elapsed.seconds + without_span, "kinds": kinds})


def _elapsed(seconds: list[float], spans: list[Span]) -> ElapsedTime | None:
    if not seconds:
        return None
    return ElapsedTime(n_fits=len(seconds), fit_s=sum(seconds) / len(seconds), seconds=busy_seconds(spans))


def busy_seconds(spans: Iterable[Span]) -> float:
    """Return the seconds from the first span's start to the last one's end, without pauses longer than PAUSE_S."""
    ordered = sorted(spans)
    if not ordered:
        return 0.0
    total, reached = 0.0, ordered[0][0]
    for start, end in ordered:
        if start - reached > PAUSE_S:
            reached = start
        total += max(end - reached, 0.0)
        reached = max(reached, end)
    return total
