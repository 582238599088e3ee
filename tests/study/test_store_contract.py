"""What a study's database must do, be it a SQLite file or on a PostgreSQL server."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from fake_studies import ENVIRONMENT, N_LAYERS, epochs_up_to, fit_result, outcome_of, study, study_spec

from finetune_alf.clock import Stopwatch
from finetune_alf.errors import LockedError, StudyError
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.study.coordinator import StudyResult
from finetune_alf.study.databases import StudyDatabase, study_database
from finetune_alf.study.databases.database import close_storage
from finetune_alf.study.server import StudyServer
from finetune_alf.study.store import PendingTrial, StudyStore, closing_store, open_store
from finetune_alf.study.trial_attempts import finished_record
from finetune_alf.train.result import AdjustedFit

IDENTITY = {"space": {"low": 1.0}, "seed": 7}


@dataclass(frozen=True)
class Place:
    """Where the studies of one test are."""

    root: Path
    server: StudyServer | None

    def run(self, n_trials: int = 12, **changes: Any) -> StudyResult:
        return study(self.root, study_spec(n_trials=n_trials), server=self.server, **changes)

    def database(self, name: str = "small", identity: Any = IDENTITY) -> StudyDatabase:
        return study_database(Paths(self.root), name, identity, self.server)

    def open(self, name: str = "small", identity: Any = IDENTITY) -> AbstractContextManager[StudyStore]:
        return open_store(self.database(name, identity), identity)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path, None)
    server = request.getfixturevalue("postgres")
    return Place(tmp_path, StudyServer(server.url, f"project-{uuid.uuid4().hex[:8]}"))


@pytest.fixture
def store(place: Place) -> Iterator[StudyStore]:
    with place.open() as opened:
        yield opened


RATES = LayerRates({"embeddings": 0.0, **{f"layer.{i}": 5e-5 for i in range(N_LAYERS)}, "head": 1e-3})
CREATE = {"params": {}, "distributions": {}, "rates": RATES}


def create(store: StudyStore, number: int = 0) -> PendingTrial:
    return store.create_trial(number, **CREATE)


def finished(trial: PendingTrial, score: float = 0.1 + 0.2) -> Any:
    return finished_record(
        replace(trial, environment=ENVIRONMENT), fit_result(score, epochs_up_to(score)), Stopwatch(5)
    )


def test_a_study_that_goes_on_ends_as_one_that_was_not_interrupted(place: Place, tmp_path: Path) -> None:
    place.run(3)
    resumed = place.run(6)
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "uninterrupted", study_spec(n_trials=6)))
    assert place.run(6).records == resumed.records


def test_what_is_written_is_read_back_to_the_bit(place: Place) -> None:
    with place.open() as store:
        trial = create(store)
        begun = replace(trial, n_attempts=2, failure="memory", environment=ENVIRONMENT)
        store.write_attempts(begun)
        create(store, 1)
    with place.open() as store:
        assert store.pending_trials() == [begun, PendingTrial(1, RATES)]
        store.finish_trial(finished(trial))
    with closing_store(place.database()) as store:
        assert store.finished_trials() == [finished(trial).model_copy(update={"ended_ms": _ended(store)})]
        assert [each.number for each in store.pending_trials()] == [1]


def _ended(store: StudyStore) -> int:
    return store.finished_trials()[0].ended_ms


def test_a_write_whose_answer_was_lost_can_be_repeated(store: StudyStore) -> None:
    assert create(store) == create(store)
    record = finished(create(store))
    store.finish_trial(record)
    store.finish_trial(record)
    assert store.finished_trials() == [record]
    assert store.pending_trials() == []


def test_a_finished_trial_is_not_overwritten(store: StudyStore) -> None:
    record = finished(create(store))
    store.finish_trial(record)
    with pytest.raises(StudyError):
        store.finish_trial(record.model_copy(update={"score": 0.9}))
    assert store.finished_trials() == [record]


def test_a_lost_answer_is_seen_also_where_a_fit_had_to_do_with_a_smaller_micro_batch(store: StudyStore) -> None:
    smaller = AdjustedFit.model_construct(**dict(fit_result(0.5, epochs_up_to(0.5))), micro_batch=4, precision="fp32")
    record = finished_record(replace(create(store), environment=ENVIRONMENT), smaller, Stopwatch(5))
    store.finish_trial(record)
    store.finish_trial(record)
    (found,) = store.finished_trials()
    assert found.environment.micro_batch == 4


CHANGED = "UPDATE trial_user_attributes SET value_json = replace(value_json, '0.001', '0.002')"
CUT_OFF = "UPDATE trial_user_attributes SET value_json = '{'"
LOST = "DELETE FROM trial_user_attributes"


@pytest.mark.parametrize(
    ("damage", "named"), [(CHANGED, "trial 1: "), (LOST, "trial 1: "), (CUT_OFF, "JSONDecodeError")]
)
def test_a_damaged_trial_is_an_error_with_its_number_and_the_way_out(place: Place, damage: str, named: str) -> None:
    with place.open() as store:
        for number in range(2):
            create(store, number)
    _damage_rates_of_trial_1(place.database(), damage)
    message = f"must be an intact study.* got .*{named}.* Restore a backup"
    with closing_store(place.database()) as store, pytest.raises(StudyError, match=message):
        store.pending_trials()


def _damage_rates_of_trial_1(database: StudyDatabase, damage: str) -> None:
    storage = database.connect()
    study_id = storage.get_study_id_from_name(database.study_name)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, 1)
    query = sqlalchemy.text(damage + " WHERE key = 'rates' AND trial_id = :trial_id")
    with storage.engine.begin() as connection:
        connection.execute(query, {"trial_id": trial_id})
    close_storage(storage)


def test_names_and_identities_do_not_meet(place: Place) -> None:
    with place.open() as store:
        create(store)
    for other in (place.open("small-one"), place.open(identity={**IDENTITY, "seed": 8})):
        with other as store:
            assert store.pending_trials() == []
    assert place.database().exists()
    assert not place.database("smal").exists()


def test_another_identity_begins_anew_and_says_what_changed(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with place.open():
        pass
    with caplog.at_level(logging.WARNING), place.open(identity={**IDENTITY, "seed": 8}):
        pass
    assert "studies.small: starting a new study" in caplog.text
    assert "Changed: seed: 7 -> 8." in caplog.text


def test_the_identity_is_kept(place: Place) -> None:
    with place.open():
        assert place.database().identity() == IDENTITY


def test_an_interrupted_creation_is_completed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optuna.storages.RDBStorage, "set_study_user_attr", fail)
        with pytest.raises(KeyboardInterrupt), place.open():
            pass
    assert not place.database().exists()
    with place.open() as store:
        assert create(store).number == 0


def test_a_second_process_is_refused_while_the_first_writes(place: Place) -> None:
    def second(_: object) -> None:
        with pytest.raises(LockedError, match=r"process \d+ on .*, since \d{4}-"):
            place.run(1)

    place.run(1, on_trial=second)
    assert len(place.run(1).records) == 1


def test_optuna_reads_it(place: Place) -> None:
    result = place.run(2)
    trials = _read(result, place)
    assert [trial.number for trial in trials] == [0, 1]
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    first = result.records[0]
    assert first.result is not None
    assert (trials[0].value, trials[0].intermediate_values[3]) == (first.score, first.result.epochs[2].validation_score)


def _read(result: StudyResult, place: Place) -> list[optuna.trial.FrozenTrial]:
    if place.server is None:
        name, url = "small", f"sqlite:///{result.database}"
    else:
        name, url = result.database.rpartition(" ")[2], place.server.url.replace("postgresql:", "postgresql+psycopg:")
    storage = optuna.storages.RDBStorage(url)
    try:
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()
