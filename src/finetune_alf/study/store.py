"""A study's trials in its database: Optuna's tables, written by one process and readable by Optuna's own tools.

A new trial is committed together with its params, in state RUNNING. Its result is written before its final state. A
trial that a killed process left RUNNING, or whose fit failed for a reason of the machine's, is pending: it is fitted
again under its own number. How many attempts at it have begun is committed before each.
"""

import contextlib
import itertools
import logging
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from finetune_alf.checksums import with_checksum
from finetune_alf.compute import Environment
from finetune_alf.crashpoint import crashpoint
from finetune_alf.errors import InputError, StudyError
from finetune_alf.rates import LayerRates
from finetune_alf.study.databases import StudyDatabase
from finetune_alf.study.databases.database import IDENTITY, close_storage, root_cause
from finetune_alf.study.identity import changed_fields
from finetune_alf.study.note import changed_trial_note, dashboard_note, noted_trials
from finetune_alf.study.optuna_study import STATES, name_metric
from finetune_alf.study.records import TrialRecord, parse_trial
from finetune_alf.study.sampler import intermediate_values
from finetune_alf.study.trial_checksums import (
    as_read,
    attempts_of,
    check_created,
    check_finished,
    new_attributes,
    outcome_of,
    without_checksum,
)

logger = logging.getLogger(__name__)

FINISHED = tuple(state for state in TrialState if state.is_finished())
UNFINISHED = tuple(state for state in TrialState if not state.is_finished())


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
    """The open database of one study. What a method writes may be written again: an answer can be lost."""

    def __init__(self, database: StudyDatabase) -> None:
        self._database, self._run = database, database.run
        self._storage = database.connect()
        self._study_id = self._run(lambda: self._storage.get_study_id_from_name(database.study_name))
        self._trial_ids: dict[int, int] = {}  # of trials that are not finished, by number

    @property
    def place(self) -> str:
        """Where the database is, without user and password."""
        return self._database.place

    @property
    def key(self) -> str:
        """The study's name and the first digits of its digest."""
        return self._database.key

    def finished_trials(self) -> list[TrialRecord]:
        """Return all finished trials, in the order of their numbers."""
        return self._run(lambda: [_trial_record(trial) for trial in self._all_trials(FINISHED)])

    def pending_trials(self) -> list[PendingTrial]:
        """Return all trials that are not finished, in the order of their numbers."""
        return self._run(lambda: [_pending_trial(trial) for trial in self._all_trials(UNFINISHED)])

    def create_trial(
        self,
        number: int,
        params: Mapping[str, float],
        distributions: Mapping[str, optuna.distributions.BaseDistribution],
        rates: LayerRates,
    ) -> PendingTrial:
        """Add the trial of this number, the next one, with its params and rates, in one transaction."""
        template = optuna.create_trial(
            state=TrialState.RUNNING,
            params=dict(params),
            distributions={name: distributions[name] for name in params},
            user_attrs=new_attributes(rates, params),
        )

        def create() -> None:
            with contextlib.suppress(KeyError):  # it is there when only the answer was lost
                self._trial_id(number)
                return
            crashpoint("trial-insert-before")
            self._storage.create_new_trial(self._study_id, template_trial=template)
            crashpoint("trial-insert-after")

        self._run(create)
        return PendingTrial(number, rates)

    def write_attempts(self, trial: PendingTrial) -> None:
        """Write how many attempts at a pending trial have begun, and of the last one environment and failure."""
        environment = trial.environment and trial.environment.as_json()
        attempts = with_checksum({"n": trial.n_attempts, "failure": trial.failure, "environment": environment})
        self._run(lambda: self._storage.set_trial_user_attr(self._trial_id(trial.number), "attempts", attempts))
        crashpoint("attempt-after")

    def finish_trial(self, record: TrialRecord) -> None:
        """Finish a pending trial: write its result, then its state and score."""
        outcome = outcome_of(record)
        values = None if record.score is None else [record.score]

        def finish() -> None:
            trial_id = self._trial_id(record.number)
            try:
                self._storage.set_trial_user_attr(trial_id, "outcome", outcome)
                for step, score in intermediate_values(record.result.epochs if record.result else ()).items():
                    self._storage.set_trial_intermediate_value(trial_id, step, score)
                crashpoint("trial-complete-before")
                self._storage.set_trial_state_values(trial_id, STATES[record.state], values)
            except optuna.exceptions.UpdateFinishedTrialError:
                stored = _trial_record(self._storage.get_trial(trial_id))
                if as_read(stored) != as_read(record):  # else only the answer was lost
                    raise

        self._run(finish)
        self._trial_ids.pop(record.number, None)
        crashpoint("trial-complete-after")

    def write_notes(self, notes: Mapping[int, str]) -> None:
        """Write notes on trials, by number, and remove those on other trials; a note of the user's is kept."""

        def write() -> None:
            attributes = self._storage.get_study_system_attrs(self._study_id)
            texts = dict.fromkeys(noted_trials(attributes), "")
            texts |= {self._trial_id(number): note for number, note in notes.items()}
            for trial_id, text in texts.items():
                for key, value in changed_trial_note(attributes, trial_id, text).items():
                    self._storage.set_study_system_attr(self._study_id, key, value)

        self._run(write)

    def close(self) -> None:
        """Close all connections."""
        close_storage(self._storage)

    def _trial_id(self, number: int) -> int:
        if number not in self._trial_ids:
            self._trial_ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._trial_ids[number]

    def _all_trials(self, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        try:
            return self._storage.get_all_trials(self._study_id, deepcopy=False, states=states)
        except (TypeError, ArithmeticError, AttributeError, AssertionError) as error:  # Optuna on a damaged row
            raise ValueError(f"a trial that cannot be read: {error}") from error


@contextlib.contextmanager
def open_store(
    database: StudyDatabase, identity: Mapping[str, Any], metric: str = "score", note: str = ""
) -> Iterator[StudyStore]:
    """Open the study of a database for writing, or create it with this identity; the caller holds its folder's lock.

    A new one has the name of its metric and a note for Optuna's plots and dashboard.
    Raises LockedError while another process writes it, and StudyError for a damaged or foreign database. If the latest
    study of this name had another identity, a warning names the fields that changed.
    """
    with database.writing():
        if database.exists():
            database.identity()
        else:
            _warn_of_changes(database, identity)
            database.create(lambda storage: _write_study(storage, database.study_name, identity, metric, note))
        with closing_store(database) as store:
            yield store


@contextlib.contextmanager
def closing_store(database: StudyDatabase) -> Iterator[StudyStore]:
    """Open the study of a database that has it; who is not its writer only reads."""
    store = StudyStore(database)
    try:
        yield store
    finally:
        store.close()


def _write_study(
    storage: optuna.storages.RDBStorage, name: str, identity: Mapping[str, Any], metric: str, note: str
) -> None:
    """Create a study without trials; one whose creation was interrupted is completed."""
    with contextlib.suppress(optuna.exceptions.DuplicatedStudyError):
        storage.create_new_study([StudyDirection.MAXIMIZE], study_name=name)
    study_id = storage.get_study_id_from_name(name)
    name_metric(optuna.load_study(study_name=name, storage=storage), metric)
    for key, value in dashboard_note(note).items():
        storage.set_study_system_attr(study_id, key, value)
    storage.set_study_user_attr(study_id, IDENTITY, dict(identity))


def _warn_of_changes(database: StudyDatabase, identity: Mapping[str, Any]) -> None:
    for latest in itertools.islice(database.of_this_name(), 1):
        former = latest.identity
        changes = str(former) if isinstance(former, StudyError) else "; ".join(changed_fields(former, identity))
        message = "studies.%s: starting a new study; %s is kept. Changed: %s."
        logger.warning(message, database.name, latest.place, changes)


def _pending_trial(trial: FrozenTrial) -> PendingTrial:
    with _named_damage(trial):
        check_created(trial)
        rates, attempts = LayerRates(trial.user_attrs["rates"]), attempts_of(trial)
        if attempts is None:
            return PendingTrial(trial.number, rates)
        environment = attempts["environment"] and Environment.parse(attempts["environment"], "environment")
        return PendingTrial(trial.number, rates, attempts["n"], attempts["failure"], environment)


def _trial_record(trial: FrozenTrial) -> TrialRecord:
    with _named_damage(trial):
        outcome = without_checksum(trial.user_attrs["outcome"])
        state = next(name for name, state in STATES.items() if state == trial.state)
        rates = trial.user_attrs["rates"]
        record = parse_trial({"number": trial.number, "state": state, "rates": rates, "score": trial.value, **outcome})
        check_finished(trial, record)
        return record


@contextlib.contextmanager
def _named_damage(trial: FrozenTrial) -> Iterator[None]:
    """Raise ValueError with the number of a trial whose rows are not what was written."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, InputError) as error:
        reason = str(error) if type(error) is ValueError else root_cause(error)
        raise ValueError(f"trial {trial.number}: {reason}") from None
