"""A study's database: intact or refused, locked for one writer, readable by Optuna's own tools."""

import contextlib
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from fake_studies import outcome_of, study, study_spec
from sqlalchemy import event
from sqlalchemy.engine import Engine

from damage import N_DAMAGES, SEED
from finetune_alf.errors import LockedError, StudyError
from finetune_alf.locks import hold_lock
from finetune_alf.paths import Paths
from finetune_alf.study.databases import study_database
from finetune_alf.study.databases.sqlite import SqliteDatabase, check_database
from finetune_alf.study.identity import changed_fields, study_databases, study_identity
from finetune_alf.study.store import StudyStore, closing_store, open_store

HALF = study_spec(n_trials=3)


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("half")
    study(root, HALF)
    return root


@pytest.fixture
def root(half_done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(half_done, tmp_path / "root"))


def database(root: Path) -> Path:
    (found,) = study_databases(root / "studies", "small")
    return found


@contextmanager
def opened(root: Path) -> Iterator[StudyStore]:
    identity = check_database(database(root))
    with open_store(study_database(Paths(root), "small", identity), identity) as store:
        yield store


def test_the_identity_has_no_n_trials_and_no_names_of_encoder_and_sample() -> None:
    one = study_identity(study_spec(n_trials=3, encoder="a", sample="a"), "5a", "random:0", "fp32")
    assert one == study_identity(study_spec(n_trials=9, encoder="b", sample="b"), "5a", "random:0", "fp32")


def test_changes_name_the_field_and_both_values() -> None:
    old, new = ({"space": {"low": 1.0, "high": high}, "seed": 1} for high in (2.0, 3.0))
    assert changed_fields(old, new) == ["space.high: 2.0 -> 3.0"]
    assert changed_fields(old, old) == []


def test_the_databases_of_a_longer_name_are_not_listed(tmp_path: Path) -> None:
    for name in ("small-00000000.db", "small-one-00000000.db", "small-0000000.db", "small-00000000.db-journal"):
        (tmp_path / name).touch()
    assert [path.name for path in study_databases(tmp_path, "small")] == ["small-00000000.db"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[: len(content) // 2], id="cut in half"),
        pytest.param(lambda content: content[:8192] + os.urandom(8192) + content[16384:], id="pages overwritten"),
        pytest.param(lambda content: b"not a database at all" * 1000, id="another file"),
        pytest.param(lambda content: b"", id="empty"),
    ],
)
def test_a_damaged_database_is_refused_and_left_as_it_is(root: Path, damage: Any) -> None:
    path = database(root)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(StudyError, match="must be an intact study database"):
        study(root, HALF)
    assert path.read_bytes() == before


def test_a_foreign_database_is_refused(root: Path) -> None:
    path = database(root)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE things (id INTEGER)")
    connection.close()
    with pytest.raises(StudyError, match="intact study database"):
        study(root, HALF)


def test_a_full_disk_is_named_and_finished_trials_are_kept(root: Path) -> None:
    path = database(root)
    n_bytes = path.stat().st_size

    @event.listens_for(Engine, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {n_bytes // 4096 + 4}")

    try:
        with opened(root) as store:
            finished = store.finished_trials()[0]
            pending = store.create_trial(3, {}, {}, finished.rates)
            assert finished.result is not None
            large = finished.result.model_copy(update={"predictions": (1,) * 50_000})
            with pytest.raises(StudyError, match=r"cannot read or write .*database or disk is full"):
                store.finish_trial(finished.model_copy(update={"number": pending.number, "result": large}))
    finally:
        event.remove(Engine, "connect", limit)
    assert study(root, study_spec(n_trials=4)).records[:3] == study(root, HALF).records[:3]


def test_an_interrupted_creation_leaves_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        study(tmp_path, HALF)
    assert not [path for path in (tmp_path / "studies").iterdir() if path.suffix != ".lock"]


def test_write_ahead_logging_is_turned_off(root: Path) -> None:
    connection = sqlite3.connect(database(root))
    assert connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal"
    connection.close()
    study(root, study_spec(n_trials=4))
    connection = sqlite3.connect(database(root))
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    connection.close()


def test_the_path_may_have_special_characters(tmp_path: Path) -> None:
    root = tmp_path / "a {b} 100%? c#d é"
    assert outcome_of(study(root, HALF)) == outcome_of(study(root, HALF))
    assert database(root).exists()


def test_a_second_coordinator_is_refused_at_once_naming_the_first(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from fake_studies import FakeFit, study, study_spec\n"
        "study(pathlib.Path(sys.argv[1]), study_spec(n_trials=1), FakeFit(epoch_s=60))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment) as first:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("studies/*.db")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        start = time.monotonic()
        with pytest.raises(LockedError, match=rf"process {first.pid} on {socket.gethostname()}, since \d{{4}}-"):
            study(tmp_path, study_spec(n_trials=1))
        assert time.monotonic() - start < 30  # a fit takes 60 s
        first.kill()
    assert len(study(tmp_path, study_spec(n_trials=1)).records) == 1  # the lock of a dead process is free


def test_the_lock_is_free_after_a_study(tmp_path: Path) -> None:
    study(tmp_path, HALF)
    with hold_lock(tmp_path / "studies/small.lock"):
        pass


def test_the_database_opens_in_optuna_dashboard(root: Path) -> None:
    from optuna_dashboard import wsgi

    storage = optuna.storages.RDBStorage(f"sqlite:///{database(root)}")
    app = wsgi(storage)
    listed = _get(app, "/api/studies")
    (found,) = listed["study_summaries"] if "study_summaries" in listed else listed["studies"]
    assert found["study_name"] == "small"
    detail = _get(app, f"/api/studies/{found['study_id']}")
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 3
    names = {param["name"] for param in detail["trials"][0]["params"]}
    assert names == {"rates.embeddings", "rates.layer.0", "rates.layer.1", "rates.layer.2"}
    storage.remove_session()
    storage.engine.dispose()


def _get(app: Any, path: str) -> dict[str, Any]:
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    body = b"".join(app(environ, lambda status, headers, *_: statuses.append(status)))
    assert statuses == ["200 OK"]
    answer: dict[str, Any] = json.loads(body)
    return answer


def readable(path: Path, identity: Any) -> object:
    """Return what the database is read as."""
    check_database(path)
    with closing_store(SqliteDatabase(path.parent, "small", identity)) as store:
        return store.finished_trials(), store.pending_trials()


@pytest.mark.parametrize("n_damages", [30, pytest.param(N_DAMAGES, marks=pytest.mark.long)])
def test_a_bad_byte_in_a_row_is_never_read_as_another_trial(tmp_path: Path, n_damages: int) -> None:
    path = Path(study(tmp_path, study_spec(n_trials=3, sampler="random")).database)
    content, identity = path.read_bytes(), check_database(path)
    value = readable(path, identity)
    words = b"rates|outcome|attempts|checksum|COMPLETE|layer.1|started_ms|n_threads"
    places = [found.start() for found in re.finditer(words, content)]
    rng = random.Random(SEED)
    n_refused = 0
    for _ in range(n_damages):
        place = rng.choice(places) + rng.randrange(-20, 40)
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :])
        try:
            assert readable(path, identity) == value
        except StudyError:
            n_refused += 1
    assert n_refused > n_damages / 3


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trial_params SET param_value = NULL",
        "UPDATE trial_params SET param_value = 9e999",
        "UPDATE trial_params SET param_value = 'abc'",
        "UPDATE trial_params SET distribution_json = '[]'",
        'UPDATE trial_params SET distribution_json = \'{"name": "CategoricalDistribution", "attributes": []}\'',
        "UPDATE trial_values SET value = 'abc'",
        "UPDATE trial_values SET value_type = 'abc'",
        "UPDATE trials SET datetime_start = 'abc'",
        "UPDATE trial_user_attributes SET value_json = '{'",
        "UPDATE trial_user_attributes SET value_json = '[]'",
    ],
)
def test_a_row_that_optuna_cannot_read_is_refused_with_the_file(root: Path, damage: str) -> None:
    path = database(root)
    identity = check_database(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
    with pytest.raises(StudyError, match=re.escape(str(path))):
        readable(path, identity)


def test_a_trial_of_an_earlier_version_has_no_checksum_and_is_read(tmp_path: Path) -> None:
    path = Path(study(tmp_path, study_spec(n_trials=2, sampler="random")).database)
    identity = check_database(path)
    value = readable(path, identity)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM trial_user_attributes WHERE key = 'checksum'")
        rows = connection.execute("SELECT trial_user_attribute_id, value_json FROM trial_user_attributes").fetchall()
        for row, text in rows:
            attribute = {k: v for k, v in json.loads(text).items() if k not in ("checksum", "document_version")}
            connection.execute(
                "UPDATE trial_user_attributes SET value_json = ? WHERE trial_user_attribute_id = ?",
                (json.dumps(attribute), row),
            )
    assert readable(path, identity) == value
