"""A study's database: SQLite with Optuna's tables, written by one process and readable by Optuna's own tools.

A new trial is committed together with its params, in state RUNNING. Its result is written before its final state. A
trial that a killed process left RUNNING, or whose fit failed for a reason of the machine's, is pending: it is fitted
again under its own number. How many attempts at it have begun is committed before each.
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

from finetune_alf.compute import Environment
from finetune_alf.errors import StudyError
from finetune_alf.rates import LayerRates
from finetune_alf.study.identity import changed_fields, database_path, study_databases
from finetune_alf.study.note import changed_trial_note, dashboard_note
from finetune_alf.study.optuna_study import STATES, name_metric
from finetune_alf.study.records import TrialRecord, parse_trial
from finetune_alf.study.sampler import intermediate_values

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 300.0
"""How long a write waits while another process reads the database, such as a dashboard or a backup."""


@dataclass(frozen=True)
class PendingTrial:
    """A trial that has its rates but is not finished.

    `environment` is that of its last attempt, `failure` the reason why that one ended.
    """

    number: int
    rates: LayerRates
    n_attempts: int = 0
    failure: str | None = None
    environment: Environment | None = None


class StudyStore:
    """The open database of one study."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        with storage_errors(path):
            self._storage = _rdb_storage(path)
            self._study_id = self._storage.get_study_id_from_name(name)

    def finished_trials(self) -> list[TrialRecord]:
        """Return all finished trials, in the order of their numbers."""
        with storage_errors(self.path):
            return [_trial_record(trial) for trial in self._all_trials() if trial.state.is_finished()]

    def pending_trials(self) -> list[PendingTrial]:
        """Return all trials that are not finished, in the order of their numbers."""
        with storage_errors(self.path):
            return [_pending_trial(trial) for trial in self._all_trials() if not trial.state.is_finished()]

    def create_trial(
        self,
        params: Mapping[str, float],
        distributions: Mapping[str, optuna.distributions.BaseDistribution],
        rates: LayerRates,
    ) -> PendingTrial:
        """Add a trial under the next number, with its params and rates, in one transaction."""
        template = optuna.create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs={"rates": dict(rates)},
        )
        with storage_errors(self.path):
            trial_id = self._storage.create_new_trial(self._study_id, template_trial=template)
            return _pending_trial(self._storage.get_trial(trial_id))

    def write_attempts(self, trial: PendingTrial) -> None:
        """Write how many attempts at a pending trial have begun, and of the last one environment and failure."""
        environment = trial.environment and trial.environment.as_json()
        attempts = {"n": trial.n_attempts, "failure": trial.failure, "environment": environment}
        with storage_errors(self.path):
            self._storage.set_trial_user_attr(self._trial_id(trial.number), "attempts", attempts)

    def finish_trial(self, record: TrialRecord) -> None:
        """Finish a pending trial: write its result, then its state and score."""
        outcome = record.model_dump(mode="json", exclude={"number", "state", "rates", "score"})
        with storage_errors(self.path):
            trial_id = self._trial_id(record.number)
            self._storage.set_trial_user_attr(trial_id, "outcome", outcome)
            for step, score in intermediate_values(record.result.epochs if record.result else ()).items():
                self._storage.set_trial_intermediate_value(trial_id, step, score)
            values = None if record.score is None else [record.score]
            self._storage.set_trial_state_values(trial_id, STATES[record.state], values)

    def write_notes(self, notes: Mapping[int, str]) -> None:
        """Write notes on trials, by number, and remove those on other trials; a note of the user's is kept."""
        with storage_errors(self.path):
            attributes = self._storage.get_study_system_attrs(self._study_id)
            for trial in self._all_trials():
                note = notes.get(trial.number, "")
                for key, value in changed_trial_note(attributes, self._trial_id(trial.number), note).items():
                    self._storage.set_study_system_attr(self._study_id, key, value)

    def close(self) -> None:
        """Close all connections to the file."""
        _close(self._storage)

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _all_trials(self) -> list[FrozenTrial]:
        return self._storage.get_all_trials(self._study_id, deepcopy=False)


@contextlib.contextmanager
def open_store(
    folder: Path, name: str, identity: Mapping[str, Any], metric: str = "score", note: str = ""
) -> Iterator[StudyStore]:
    """Open the database of the study with this identity, or create it; the caller holds the study's lock.

    A new one has the name of its metric and a note for Optuna's plots and dashboard.
    Raises StudyError for a damaged or foreign database. If the latest study of this name had another identity, a
    warning names the fields that changed.
    """
    path = database_path(folder, name, identity)
    if path.exists():
        check_database(path)
    else:
        _warn_of_changes(folder, name, identity)
        _create_database(path, name, identity, metric, note)
    with closing_store(path, name) as store:
        yield store


@contextlib.contextmanager
def closing_store(path: Path, name: str) -> Iterator[StudyStore]:
    """Open a database that is there; who holds no lock only reads."""
    store = StudyStore(path, name)
    try:
        yield store
    finally:
        store.close()


def check_database(path: Path) -> dict[str, Any]:
    """Return the identity of the study in a database. Raises StudyError if the file is damaged or not a study's.

    Opening the file completes or rolls back the transaction of a killed process.
    """
    with storage_errors(path), contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        connection.execute("PRAGMA journal_mode=DELETE")  # WAL has a corruption bug before SQLite 3.51.3
        row = connection.execute("SELECT value_json FROM study_user_attributes WHERE key = 'identity'").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("it contains no study")
        identity: dict[str, Any] = json.loads(row[0])
        return identity


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite, SQLAlchemy and Optuna into a StudyError."""
    try:
        yield
    except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError, optuna.exceptions.StorageInternalError) as error:
        if "no such table" in str(error):
            raise _damaged(path, error) from error
        raise StudyError(
            f"cannot read or write the study's database {path}: {_root_cause(error)}. Check the free disk space, the "
            "file's permissions and which processes have it open, then run the same command again to resume."
        ) from error
    except (sqlite3.DatabaseError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> StudyError:
    return StudyError(
        f"{path}: must be an intact study database, but got {_root_cause(error)}. Restore a backup, or move the file "
        "away to start the study from the beginning."
    )


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:  # Optuna's own message does not name the cause
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _create_database(path: Path, name: str, identity: Mapping[str, Any], metric: str, note: str) -> None:
    """Create the tables and the study in a temporary folder, so that a database at `path` is always complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with storage_errors(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        storage = _rdb_storage(Path(folder) / path.name)
        study_id = storage.create_new_study([StudyDirection.MAXIMIZE], study_name=name)
        storage.set_study_user_attr(study_id, "identity", dict(identity))
        name_metric(optuna.load_study(study_name=name, storage=storage), metric)
        for key, value in dashboard_note(note).items():
            storage.set_study_system_attr(study_id, key, value)
        _close(storage)
        os.replace(Path(folder) / path.name, path)


def _rdb_storage(path: Path) -> optuna.storages.RDBStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    escaped = url.replace("{", "{{").replace("}", "}}")  # Optuna formats the URL
    return optuna.storages.RDBStorage(escaped, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT_S}})


def _close(storage: optuna.storages.RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _warn_of_changes(folder: Path, name: str, identity: Mapping[str, Any]) -> None:
    for latest in study_databases(folder, name)[:1]:
        try:
            changes = "; ".join(changed_fields(check_database(latest), identity))
        except StudyError as error:
            changes = str(error)
        logger.warning("studies.%s: starting a new study; %s is kept. Changed: %s.", name, latest.name, changes)


def _pending_trial(trial: FrozenTrial) -> PendingTrial:
    rates, attempts = LayerRates(trial.user_attrs["rates"]), trial.user_attrs.get("attempts")
    if attempts is None:
        return PendingTrial(trial.number, rates)
    environment = attempts["environment"] and Environment.parse(attempts["environment"], f"trial {trial.number}")
    return PendingTrial(trial.number, rates, attempts["n"], attempts["failure"], environment)


def _trial_record(trial: FrozenTrial) -> TrialRecord:
    outcome = trial.user_attrs["outcome"]
    state = next(name for name, state in STATES.items() if state == trial.state)
    rates = trial.user_attrs["rates"]
    return parse_trial({"number": trial.number, "state": state, "rates": rates, "score": trial.value, **outcome})
