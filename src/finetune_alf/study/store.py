"""A study's own database: SQLite through Optuna's tables, written by one coordinator alone.

A trial appears with its parameters in one transaction, and is finished once its state is; its result is written before.
What a kill leaves RUNNING is taken over under its own number. Optuna's own tools can read all of it at any time.
"""

import contextlib
import json
import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from finetune_alf.errors import StudyError
from finetune_alf.rates import LayerRates
from finetune_alf.study.identity import changes, database_path, databases
from finetune_alf.study.records import TrialRecord, record_of

logger = logging.getLogger(__name__)

WAIT_S = 300.0
"""How long a write waits for somebody who reads the database: a dashboard, a backup."""

_STATES: Mapping[str, TrialState] = {
    "complete": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}


@dataclass(frozen=True)
class Begun:
    """A trial that has its rates, but no end yet."""

    number: int
    rates: dict[str, float]


class StudyStore:
    """An open database. Keeps no state of its own but the ids of trials: what is in the file is the truth."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        with mapped(path):
            self._storage = _storage(path)
            self._study_id = self._storage.get_study_id_from_name(name)

    def finished(self) -> list[TrialRecord]:
        """Return all finished trials, in the order of their numbers."""
        with mapped(self.path):
            return [_record(trial) for trial in self._trials() if trial.state.is_finished()]

    def begun(self) -> list[Begun]:
        """Return the trials that were begun and not finished."""
        with mapped(self.path):
            return [_begun(trial) for trial in self._trials() if not trial.state.is_finished()]

    def begin(
        self,
        params: Mapping[str, float],
        distributions: Mapping[str, optuna.distributions.BaseDistribution],
        rates: LayerRates,
    ) -> Begun:
        """Add a trial under the next number, with its parameters and rates, in one transaction."""
        template = optuna.create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs={"rates": {str(address): rate for address, rate in rates.items()}},
        )
        with mapped(self.path):
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
            return _begun(self._storage.get_trial(trial_id))

    def finish(self, record: TrialRecord) -> None:
        """Write a begun trial's end: its result first, then the state that makes it finished."""
        outcome = record.model_dump(mode="json", include={"reason", "result", "started_ms", "ended_ms", "repeats"})
        with mapped(self.path):
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, record.number)
            self._storage.set_trial_user_attr(trial_id, "outcome", outcome)
            values = None if record.score is None else [record.score]
            self._storage.set_trial_state_values(trial_id, _STATES[record.state], values)

    def close(self) -> None:
        """Let the file go."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def _trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study_id, deepcopy=False)


@contextlib.contextmanager
def open_store(folder: Path, name: str, identity: Mapping[str, Any]) -> Iterator[StudyStore]:
    """Open the database of the study with this identity, made if there is none; the caller holds the study's lock.

    Raises StudyError for a database that is damaged or not ours. When the study of this name was another one before,
    a warning says what changed.
    """
    path = database_path(folder, name, identity)
    if path.exists():
        check(path)
    else:
        _say_what_changed(folder, name, identity)
        _create(path, name, identity)
    store = StudyStore(path, name)
    try:
        yield store
    finally:
        store.close()


def check(path: Path) -> dict[str, Any]:
    """Return the identity of the study in a database. Raises StudyError when the file is damaged or not ours.

    Finishes what a killed writer left half done, as SQLite does on opening.
    """
    with mapped(path), contextlib.closing(sqlite3.connect(path, timeout=WAIT_S)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        connection.execute("PRAGMA journal_mode=DELETE")  # WAL has a corruption bug before SQLite 3.51.3
        row = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'identity'").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("no study in it")
        identity: dict[str, Any] = json.loads(row[0])
        return identity


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn what SQLite, SQLAlchemy and Optuna raise into a StudyError that tells the way out."""
    try:
        yield
    except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError, optuna.exceptions.StorageInternalError) as error:
        if "no such table" in str(error):
            raise _unusable(path, error) from error
        raise StudyError(
            f"{path}: must be readable and writable, but got {_cause(error)}. Look at the disk's space, the file's "
            "rights and who else has it open; started again, the study goes on with what is finished."
        ) from error
    except (sqlite3.DatabaseError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, KeyError, ValueError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: BaseException) -> StudyError:
    return StudyError(
        f"{path}: must be a study's sound database, but got {_cause(error)}. Put a backup in its place, or move it "
        "away to begin the study anew."
    )


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:  # Optuna's own text blames the data
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _create(path: Path, name: str, identity: Mapping[str, Any]) -> None:
    """Make the tables and the study aside: a database that exists is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mapped(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        storage = _storage(Path(folder) / path.name)
        study_id = storage.create_new_study([StudyDirection.MAXIMIZE], study_name=name)
        storage.set_study_user_attr(study_id, "identity", dict(identity))
        storage.remove_session()
        storage.engine.dispose()
        os.replace(Path(folder) / path.name, path)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    escaped = url.replace("{", "{{").replace("}", "}}")  # Optuna fills in braces
    return optuna.storages.RDBStorage(escaped, engine_kwargs={"connect_args": {"timeout": WAIT_S}})


def _say_what_changed(folder: Path, name: str, identity: Mapping[str, Any]) -> None:
    for other in databases(folder, name)[:1]:
        try:
            told = "; ".join(changes(check(other), identity))
        except StudyError as error:
            told = str(error)
        logger.warning("studies.%s: a new study begins, and %s stays as it is. Changed: %s.", name, other.name, told)


def _begun(trial: FrozenTrial) -> Begun:
    return Begun(trial.number, trial.user_attrs["rates"])


def _record(trial: FrozenTrial) -> TrialRecord:
    outcome = trial.user_attrs["outcome"]
    state = next(name for name, state in _STATES.items() if state == trial.state)
    rates = trial.user_attrs["rates"]
    return record_of({"number": trial.number, "state": state, "rates": rates, "score": trial.value, **outcome})
