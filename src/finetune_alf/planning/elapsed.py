"""What the fits of a stage took, read from the files that it left."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from finetune_alf.files import read_json, read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.spec import Spec
from finetune_alf.study.records import read_records
from finetune_alf.train.job import FitJob
from finetune_alf.train.ledger import Ledger
from finetune_alf.train.result import FitResult

PAUSE_S = 60.0
"""A stage that did nothing for longer had been stopped."""

Span = tuple[float, float]


class Spent(Spec):
    """How many fits a stage has done, a fit's seconds on average, and those of all of them, pauses left out.

    `kinds` says how many are of each kind, where that can be told.
    """

    n_fits: int
    fit_s: float
    seconds: float
    kinds: dict[str, int] = Field(default={})


class Done(Spec):
    """A fit that was done: what kind of fit, when it began, in seconds since 1970, and how long it took."""

    kind: str
    started: float
    seconds: float


def study_spent(paths: Paths, name: str) -> Spent | None:
    """Return what a study's trials took; None where there are none yet."""
    path = paths.study_results(name) / "trials.jsonl"
    if not path.exists():
        return None
    done = [record for record in read_records(path) if record.result is not None]
    spans = [(record.started_ms / 1000, record.ended_ms / 1000) for record in done]
    return _spent([record.result.seconds for record in done if record.result], spans)


def register_spent(paths: Paths, name: str) -> Spent | None:
    """Return what confirming a study's candidates took: the latest fits of the ledger, as many as the lock has."""
    lock, ledger = paths.schedules(name), paths.ledger(f"register-{name}")
    if not (lock.exists() and ledger.exists()):
        return None
    n_fits = sum(len(candidate["scores"]) for candidate in read_json(lock)["candidates"])
    results = list(_results(ledger))[-n_fits:]
    starts = [result.started_ms / 1000 for result in results]
    seconds = [result.seconds for result in results]
    return _spent(seconds, [(start, start + took) for start, took in zip(starts, seconds, strict=True)])


def cells_done(path: Path, kind_of: Callable[[Mapping[str, Any]], str | None]) -> list[Done]:
    """Return the fits among a file of cells, one a line; cells that have no kind are left out."""
    cells = [(kind_of(cell), cell) for cell in read_jsonl(path)] if path.exists() else []
    return [_done(kind, cell) for kind, cell in cells if kind is not None]


def _done(kind: str, cell: Mapping[str, Any]) -> Done:
    first = cell["epochs"][0]
    return Done(kind=kind, started=first["ended_ms"] / 1000 - first["seconds"], seconds=cell["seconds"])


def ledger_done(path: Path, jobs: Iterable[FitJob], kind: str) -> list[Done]:
    """Return those of the jobs, all of one kind, that a ledger holds."""
    ledger = Ledger(path)
    results = [result for job in jobs if (result := ledger.find(job)) is not None]
    return [_done(kind, result.model_dump(mode="json", include={"seconds", "epochs"})) for result in results]


def spent_on(done: Iterable[Done]) -> Spent | None:
    """Return what these fits took together; None where there are none."""
    fits = list(done)
    spent = _spent([fit.seconds for fit in fits], [(fit.started, fit.started + fit.seconds) for fit in fits])
    return spent and spent.model_copy(update={"kinds": dict(Counter(fit.kind for fit in fits))})


def _results(ledger: Path) -> Iterable[FitResult]:
    for line in ledger.read_text("utf-8").splitlines():
        try:
            yield FitResult.model_validate_json(json.dumps(json.loads(line)["result"]))
        except (ValueError, KeyError, TypeError, ValidationError):
            continue  # empty, torn by a kill, or of another version: the ledger itself passes over it too


def _spent(seconds: list[float], spans: list[Span]) -> Spent | None:
    if not seconds:
        return None
    return Spent(n_fits=len(seconds), fit_s=sum(seconds) / len(seconds), seconds=busy_seconds(spans))


def busy_seconds(spans: Iterable[Span]) -> float:
    """Return the seconds from the first span's start to the last one's end, without pauses longer than PAUSE_S."""
    ordered = sorted(spans)
    total, reached = 0.0, ordered[0][0]
    for start, end in ordered:
        if start - reached > PAUSE_S:
            reached = start
        total += max(end - reached, 0.0)
        reached = max(reached, end)
    return total
