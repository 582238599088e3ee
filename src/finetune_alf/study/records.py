"""A study's trials as records, and the result files that hold them: trials.jsonl, best.json, study.json."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from finetune_alf.compute import Environment
from finetune_alf.errors import InputError
from finetune_alf.json_files import read_jsonl, write_jsonl, write_plain_json
from finetune_alf.paths import way_out_of
from finetune_alf.rates import LayerRates
from finetune_alf.spec import Spec
from finetune_alf.study.documents import StudyDocument
from finetune_alf.train.result import FitResult

TrialState = Literal["complete", "failed", "pruned"]

STUDY_FILE = "study.json"


class TrialRecord(Spec):
    """A finished trial: one line of trials.jsonl.

    Only a complete trial has a `score`, only a failed one a `reason`. `repeats` is the number of an earlier trial with
    the same rates, whose result this trial has without a fit of its own. `environment` is that of its last attempt.
    """

    number: int
    state: TrialState
    rates: LayerRates
    score: float | None
    reason: str | None
    started_ms: int
    ended_ms: int
    environment: Environment
    result: FitResult | None
    repeats: int | None = None


def best_trial(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the complete trial with the highest score; of equal ones, the earliest."""
    complete = (record for record in records if record.score is not None)
    return max(complete, key=lambda record: (record.score or 0.0, -record.number), default=None)


def baseline_trial(records: Sequence[TrialRecord], baseline: LayerRates) -> TrialRecord | None:
    """Return the first complete trial with the baseline's rates."""
    return next((record for record in records if record.score is not None and record.rates == baseline), None)


def elapsed_s(records: Sequence[TrialRecord]) -> float:
    """Return the seconds from the start of the first trial to the end of the last one, interruptions included."""
    if not records:
        return 0.0
    return (max(record.ended_ms for record in records) - min(record.started_ms for record in records)) / 1000


def busy_s(spans: Iterable[tuple[int, int]]) -> float:
    """Return the seconds in at least one of these spans of milliseconds; pauses between them do not count."""
    busy_ms, end_ms = 0.0, float("-inf")
    for started_ms, ended_ms in sorted(spans):
        busy_ms += max(0.0, ended_ms - max(started_ms, end_ms))
        end_ms = max(end_ms, ended_ms)
    return busy_ms / 1000


def write_results(folder: Path, records: Sequence[TrialRecord], study: StudyDocument) -> None:
    """Write trials.jsonl, best.json and, last, study.json, each atomically."""
    best = best_trial(records)
    write_jsonl(folder / "trials.jsonl", (record.model_dump(mode="json") for record in records))
    if best is not None:
        write_plain_json(folder / "best.json", {"number": best.number, "score": best.score, "rates": dict(best.rates)})
    study.write(folder / STUDY_FILE)


def read_trials(path: Path) -> list[TrialRecord]:
    """Read trials.jsonl, in the order of the trials' numbers. Raises InputError with the file and line."""
    records = []
    for line, row in enumerate(read_jsonl(path), start=1):
        try:
            records.append(parse_trial(row))
        except (ValidationError, InputError) as error:
            fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InputError(f"{path}:{line}: must be a trial, but got {fault}. {way_out_of(path)}") from None
    return records


def read_study(folder: Path) -> StudyDocument:
    """Read study.json. Raises InputError with the file."""
    return StudyDocument.read(folder / STUDY_FILE)


def stale_note(results: StudyDocument, identity: str) -> str:
    """Return that results are those of other settings than the ones with this digest of their identity, or nothing."""
    return "" if results.digest == identity else f"stale: {results.n_trials} trials of other params"


def parse_trial(row: object) -> TrialRecord:
    """Return the record in a JSON value. Raises pydantic's ValidationError."""
    return TrialRecord.model_validate_json(json.dumps(row))
