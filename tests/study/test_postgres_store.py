"""Studies on a PostgreSQL server: one writer, restarts, lost connections, and a password that nobody sees."""

import logging
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from fake_studies import outcome_of, study, study_spec

from finetune_alf.errors import LockedError, StudyError
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.study.databases import connection
from finetune_alf.study.databases import postgres as postgres_module
from finetune_alf.study.databases.connection import connect_url
from finetune_alf.study.databases.lease import Lease
from finetune_alf.study.databases.postgres import PostgresDatabase
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.server import StudyServer
from finetune_alf.study.store import StudyStore, closing_store, open_store
from postgres_server import PASSWORD, PostgresServer

N_TRIALS = 4
IDENTITY = {"seed": 7}
RATES = LayerRates({"embeddings": 0.0, "layer.0": 5e-5, "head": 1e-3})
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alf'"


@pytest.fixture
def server(postgres: PostgresServer) -> StudyServer:
    return StudyServer(postgres.url, f"project-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return outcome_of(study(tmp_path_factory.mktemp("sqlite"), study_spec(n_trials=N_TRIALS)))


def database(server: StudyServer) -> PostgresDatabase:
    return PostgresDatabase(server, "small", IDENTITY, Paths(Path("here")).command("study", "small"))


def create(store: StudyStore, number: int) -> int:
    return store.create_trial(number, {}, {}, RATES).number


def on_second(action: Callable[[], object]) -> Callable[[TrialRecord], None]:
    """Return an `on_trial` that acts once, after the second trial."""
    return lambda record: action() and None if record.number == 1 else None


def test_a_study_goes_on_in_another_folder_under_the_same_url(
    tmp_path: Path, server: StudyServer, uninterrupted: Any
) -> None:
    study(tmp_path / "one", study_spec(n_trials=2), server=server)
    moved = study(tmp_path / "other", study_spec(n_trials=N_TRIALS), server=server)
    assert outcome_of(moved) == uninterrupted
    results = Paths(tmp_path / "other").study_results("small")
    assert {path.name for path in results.iterdir()} == {"trials.jsonl", "best.json", "study.json"}


def test_projects_do_not_meet(tmp_path: Path, postgres: PostgresServer) -> None:
    one, other = (StudyServer(postgres.url, f"{name}-{uuid.uuid4().hex[:8]}") for name in ("one", "other"))
    with open_store(database(one), IDENTITY) as store:
        create(store, 0)
        with open_store(database(other), IDENTITY) as beside:
            assert beside.pending_trials() == []


@pytest.mark.parametrize("how", ["restart", "dropped"])
def test_a_restart_or_a_dropped_connection_loses_and_repeats_nothing(
    tmp_path: Path, server: StudyServer, postgres: PostgresServer, uninterrupted: Any, how: str
) -> None:
    def restart() -> None:
        postgres.stop("immediate")
        postgres.start()

    action = restart if how == "restart" else lambda: postgres.sql(TERMINATE)
    told: list[int] = []

    def on_trial(record: TrialRecord) -> None:
        told.append(record.number)
        on_second(action)(record)

    result = study(tmp_path, study_spec(n_trials=N_TRIALS), server=server, on_trial=on_trial)
    assert outcome_of(result) == uninterrupted
    assert told == list(range(N_TRIALS))
    counted = "SELECT count(*) FROM trials JOIN studies USING (study_id) WHERE starts_with(study_name, '{}')"
    assert postgres.sql(counted.format(server.project)) == [str(N_TRIALS)]


def test_a_coordinator_that_was_replaced_writes_nothing(server: StudyServer, postgres: PostgresServer) -> None:
    with open_store(database(server), IDENTITY) as former:
        create(former, 0)
        postgres.sql(TERMINATE)
        with open_store(database(server), IDENTITY) as new:
            create(new, 1)
            with pytest.raises(LockedError, match=r"process \d+ on .* has taken the study over"):
                create(former, 2)
        with pytest.raises(LockedError, match="has taken the study over"):  # also when the other has ended
            create(former, 2)
    with closing_store(database(server)) as store:
        assert [trial.number for trial in store.pending_trials()] == [0, 1]


def test_a_commit_checks_the_counter_in_its_own_transaction(server: StudyServer, postgres: PostgresServer) -> None:
    with open_store(database(server), IDENTITY) as store:
        create(store, 0)
        raised = "UPDATE finetune_alf_leases SET counter = counter + 1 WHERE starts_with(study, '{}')"
        postgres.sql(raised.format(server.project))
        with pytest.raises(LockedError, match="has taken the study over"):
            create(store, 1)  # the lock is still this process's own
    with closing_store(database(server)) as store:
        assert [trial.number for trial in store.pending_trials()] == [0]


def test_nobody_takes_a_study_over_between_the_check_and_the_commit(
    server: StudyServer, postgres: PostgresServer
) -> None:
    opened = database(server)
    raise_counter = "SET lock_timeout = '50ms'; UPDATE finetune_alf_leases SET counter = 9 WHERE study = '{}'"
    engine = sqlalchemy.create_engine(connect_url(server))
    with open_store(opened, IDENTITY), engine.begin() as transaction:
        Lease(engine, opened.study_name, opened.place, counter=1).check(transaction, share=True)
        with pytest.raises(RuntimeError, match="lock timeout"):
            postgres.sql(raise_counter.format(opened.study_name))
    engine.dispose()
    postgres.sql(raise_counter.format(opened.study_name))


@pytest.mark.parametrize("method", ["create_new_trial", "set_trial_user_attr", "set_trial_state_values"])
def test_a_lost_answer_to_a_commit_repeats_nothing(
    tmp_path: Path, server: StudyServer, uninterrupted: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    commit, lost = getattr(optuna.storages.RDBStorage, method), [True]

    def commit_without_answer(*arguments: Any, **named: Any) -> Any:
        answer = commit(*arguments, **named)
        if lost and lost.pop():
            raise connection.Unavailable("the connection was lost")
        return answer

    monkeypatch.setattr(optuna.storages.RDBStorage, method, commit_without_answer)
    result = study(tmp_path, study_spec(n_trials=2), server=server)
    assert outcome_of(result) == uninterrupted[:2]
    assert not lost


def test_a_coordinator_has_two_connections(tmp_path: Path, server: StudyServer, postgres: PostgresServer) -> None:
    postgres.sql("ALTER ROLE alf CONNECTION LIMIT 2")
    try:
        study(tmp_path, study_spec(n_trials=2), server=server)
    finally:
        postgres.sql("ALTER ROLE alf CONNECTION LIMIT -1")


def test_too_many_clients_are_waited_for(
    server: StudyServer, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []

    def free(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            postgres.sql("ALTER ROLE alf CONNECTION LIMIT -1")

    with open_store(database(server), IDENTITY) as store:
        postgres.sql("ALTER ROLE alf CONNECTION LIMIT 0")
        postgres.sql(TERMINATE)
        monkeypatch.setattr(connection.time, "sleep", free)
        with caplog.at_level(logging.WARNING):
            assert create(store, 0) == 0
    assert len(waits) == 2
    assert caplog.text.count("waiting up to 300 s") == 1
    assert "too many connections" in caplog.text


def test_a_server_that_stays_away_is_an_error_with_the_way_out(
    server: StudyServer, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "UNAVAILABLE_TIMEOUT_S", 0.2)
    with open_store(database(server), IDENTITY) as store:
        create(store, 0)
        postgres.stop()
        try:
            with pytest.raises(StudyError, match=r"no answer .*resume with `finetune-alf study small --root here`"):
                create(store, 1)
        finally:
            postgres.start()
    with open_store(database(server), IDENTITY) as store:
        assert [trial.number for trial in store.pending_trials()] == [0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("/studies", "/missing"), 'database "missing" does not exist'),
        ((PASSWORD, f"wrong-{PASSWORD}"), "password authentication failed"),
    ],
)
def test_what_waiting_does_not_mend_is_an_error_at_once(
    postgres: PostgresServer, change: tuple[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection.time, "sleep", lambda _: pytest.fail("it waits"))
    wrong = StudyServer(postgres.url.replace(*change), "demo")
    with pytest.raises(StudyError, match=problem) as failure, open_store(database(wrong), IDENTITY):
        pass
    assert PASSWORD not in _everything(failure)


def _everything(failure: pytest.ExceptionInfo[BaseException]) -> str:
    """Return what a traceback of an error and of its causes shows."""
    return "".join(traceback.format_exception(failure.value)) + repr(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///studies.db",
        "postgresql://h",
        "postgresql://h/",
        f"postgresql://u:{PASSWORD}/x@h/d",
        f"postgresql://u:{PASSWORD}@x@h/d",
        f"postgresql://u:a#{PASSWORD}@h/d",
        f"postgresql://u@h:{PASSWORD}/d",
        f"mysql://u:{PASSWORD}@h/d",
    ],
)
def test_other_urls_are_refused_without_a_word_of_them(url: str) -> None:
    with pytest.raises(ValueError, match="must be postgresql://USER@HOST/DATABASE") as failure:
        StudyServer(url, "demo")
    assert PASSWORD not in _everything(failure)


def test_a_server_is_shown_without_user_and_password() -> None:
    server = StudyServer(f"postgresql://u:{PASSWORD}@db.example.org:5433/studies?sslmode=require", "demo")
    assert server.place == "postgresql://db.example.org:5433/studies"
    assert PASSWORD not in repr(server)
