"""From the stages' files to records, study by study; a stage that did not run leaves a gap, a broken file an error."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from finetune_alf.errors import InputError
from finetune_alf.files import read_json, read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.report.records import Cell, ImportanceRecord, LockRecord, Record, StudyRecord, TransferRecord
from finetune_alf.study.records import TrialRecord, best_of, read_records

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Searched:
    """A study that has run: what was asked, and its trials."""

    about: StudyRecord
    trials: tuple[TrialRecord, ...]

    @property
    def scored(self) -> tuple[TrialRecord, ...]:
        """The trials that ended with a score."""
        return tuple(trial for trial in self.trials if trial.score is not None)

    @property
    def best(self) -> TrialRecord | None:
        """The trial with the highest score."""
        return best_of(self.trials)


@dataclass(frozen=True)
class Transferred:
    """One sample's transfer: the comparison, and the cells behind it."""

    compared: TransferRecord
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class StudyResults:
    """All that was run under a study's name; None or empty where a stage has not run."""

    name: str
    search: Searched | None
    importance: ImportanceRecord | None
    lock: LockRecord | None
    transfers: tuple[Transferred, ...]


def load_results(paths: Paths) -> tuple[StudyResults, ...]:
    """Read every study there is; InputError names a broken file."""
    return tuple(
        StudyResults(
            name,
            _search(paths.study_results(name)),
            _read_if_there(paths.importance(name), ImportanceRecord),
            _read_if_there(paths.schedules(name), LockRecord),
            tuple(_transfers(paths.transfer(name))),
        )
        for name in sorted(set(_names(paths)))
    )


def _names(paths: Paths) -> Iterator[str]:
    yield from (file.parent.name for file in paths.study_results("x").parent.glob("[!.]*/study.json"))
    yield from (
        file.stem for kind in (paths.importance, paths.schedules) for file in kind("x").parent.glob("[!.]*.json")
    )
    yield from (file.parent.name for file in paths.transfer("x").parent.glob("[!.]*/[!.]*.json"))


def _search(folder: Path) -> Searched | None:
    about = _read_if_there(folder / "study.json", StudyRecord)
    return None if about is None else Searched(about, tuple(read_records(folder / "trials.jsonl")))


def _transfers(folder: Path) -> Iterator[Transferred]:
    for file in sorted(folder.glob("[!.]*.json")):
        if not file.name.endswith(".predictions.json"):
            cells = file.with_suffix(".jsonl")
            rows = read_jsonl(cells)
            read = tuple(checked(row, Cell, f"{cells}:{line}") for line, row in enumerate(rows, start=1))
            yield Transferred(checked(read_json(file), TransferRecord, str(file)), read)


def _read_if_there(path: Path, kind: type[R]) -> R | None:
    return checked(read_json(path), kind, str(path)) if path.exists() else None


def checked(document: object, kind: type[R], where: str) -> R:
    """Return a document as a record; InputError names the first key that is not as its stage writes it."""
    try:
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"])) or "the whole"
        raise InputError(
            f"{where}: must be as its stage writes it, but got {key}: {fault['msg']}. Run that stage again."
        ) from None
