"""The time that finished fits took, read from the files of their stage."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.json_files import read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.register.lock import LockDocument
from finetune_alf.spec import Spec
from finetune_alf.study.records import read_trials

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


def study_elapsed(paths: Paths, name: str) -> ElapsedTime | None:
    """Return the time of a study's trials; None before the first."""
    path = paths.study_results(name) / "trials.jsonl"
    if not path.exists():
        return None
    done = [record for record in read_trials(path) if record.result is not None]
    spans = [(record.started_ms / 1000, record.ended_ms / 1000) for record in done]
    return _elapsed([record.result.seconds for record in done if record.result], spans)


def register_elapsed(paths: Paths, name: str) -> ElapsedTime | None:
    """Return the time of a study's registration: the latest fits of the ledger, as many as the lock file has."""
    lock, ledger = paths.schedules(name), paths.ledger(f"register-{name}")
    if not (lock.exists() and ledger.exists()):
        return None
    results = Ledger(ledger).results[-LockDocument.read(lock).n_fits :]
    starts = [result.started_ms / 1000 for result in results]
    seconds = [result.seconds for result in results]
    return _elapsed(seconds, [(start, start + took) for start, took in zip(starts, seconds, strict=True)])


def finished_cells(path: Path, kind_of: Callable[[Mapping[str, Any]], str | None]) -> list[FinishedFit]:
    """Return the fits of a file of cells, one a line; cells without a kind are left out."""
    cells = [(kind_of(cell), cell) for cell in read_jsonl(path, is_whole=False)] if path.exists() else []
    return [_finished(kind, cell) for kind, cell in cells if kind is not None]


def _finished(kind: str, cell: Mapping[str, Any]) -> FinishedFit:
    first = next(iter(cell["epochs"]), None)
    started = first and first["ended_ms"] / 1000 - first["seconds"]
    return FinishedFit(kind=kind, started=started, seconds=cell["seconds"])


def finished_in_ledger(path: Path, jobs: Iterable[FitJob], kind: str) -> list[FinishedFit]:
    """Return the jobs, all of one kind, whose results are in a ledger."""
    ledger = Ledger(path)
    results = [result for job in jobs if (result := ledger.find(job)) is not None]
    return [_finished(kind, result.model_dump(mode="json", include={"seconds", "epochs"})) for result in results]


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
