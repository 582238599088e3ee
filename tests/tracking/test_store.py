import http.server
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import finetune_alf
from finetune_alf.errors import TrackingError
from finetune_alf.locks import hold_lock
from finetune_alf.tracking import RunRecord
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.store import open_store, redact, redacted_uri, tracking_uri


def run(code: str, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "DO_NOT"))}
    environment["PYTHONPATH"] = str(Path(finetune_alf.__file__).parents[1])  # wherever the tests were started
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )


FORKS = """
import os, sys
from pathlib import Path
from finetune_alf.tracking import RunRecord
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.store import load_mlflow
root = Path(sys.argv[1])
load_mlflow()
import alembic.command, mlflow.store.model_registry.sqlalchemy_store, mlflow.store.tracking.sqlalchemy_store  # once

def die_before_the_end():
    os.replace = lambda *_: os._exit(137)
    MlflowTracker(root)

def record(key):
    tracker = MlflowTracker(root)
    parent = tracker.start_parent_run("study:" + key, "minilm", {})
    tracker.log_run(parent, RunRecord(key, key, 1, 2, artifacts={"a.txt": b"a"}))
    tracker.end_parent_run(parent, "FINISHED", {})

def start(function, *arguments):
    child = os.fork()
    if not child:
        try:
            function(*arguments)
            os._exit(0)
        finally:
            os._exit(1)
    return child

def end_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

print(end_of(start(die_before_the_end)), (root / "mlruns" / "mlflow.db").exists())
print([end_of(child) for child in [start(record, f"key-{n}") for n in range(4)]])
"""


@pytest.mark.long
def test_after_a_kill_during_its_creation_four_processes_can_create_a_store_at_once(tmp_path: Path) -> None:
    assert run(FORKS, tmp_path, str(tmp_path)).stdout.splitlines() == ["137 False", "[0, 0, 0, 0]"]
    tracker = MlflowTracker(tmp_path)
    assert all(tracker.find_run(f"key-{n}") for n in range(4))
    assert len(tracker.client.search_experiments()) == 2  # MLflow's default experiment and ours
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {"mlflow.db", ".mlflow.db.lock", "artifacts"}


FIRST_USE = """
import sys
from pathlib import Path
import finetune_alf.schedules.registry
from finetune_alf.tracking import RunRecord
from finetune_alf.tracking.mlflow import MlflowTracker
is_imported_early = "mlflow" in sys.modules
root = Path(sys.argv[1])
tracker = MlflowTracker(root)
parent = tracker.start_parent_run("study:key", "minilm", {})
tracker.log_run(parent, RunRecord("key", "key", 1, 2, artifacts={"a.txt": b"a"}))
from mlflow.telemetry.client import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
(root / "found").write_text(f"{is_imported_early} {is_telemetry_disabled()} {get_telemetry_client()}")
"""


@pytest.mark.long
def test_mlflow_is_imported_late_and_quietly_without_telemetry(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(FIRST_USE, elsewhere, str(root))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(elsewhere.iterdir()) == []
    assert {path.name for path in root.iterdir()} == {"mlruns", "found"}
    assert {path.name for path in (root / "mlruns").iterdir()} == {"mlflow.db", ".mlflow.db.lock", "artifacts"}
    assert (root / "found").read_text() == "False True None"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "sqlite:////here/mlruns/mlflow.db"),
        ("sqlite:///other.db", "sqlite:////here/other.db"),
        ("sqlite:////there/m.db", "sqlite:////there/m.db"),
        ("http://server:5000/", "http://server:5000"),
        ("https://u:p@server/mlflow", "https://u:p@server/mlflow"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_the_uri_of_a_store_is_absolute(given: str | None, expected: str) -> None:
    assert tracking_uri(Path("/here"), given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "mlruns",
        "file:///x",
        "sqlite://",
        "sqlite:///:memory:",
        "http://",
        "http://[",
        "postgresql://u:secret@h/db",
    ],
)
def test_other_kinds_of_stores_are_refused(given: str) -> None:
    with pytest.raises(TrackingError, match="must be sqlite:///PATH or a server") as caught:
        tracking_uri(Path("/here"), given)
    assert "secret" not in str(caught.value)


def test_the_same_files_are_uploaded_once(new_root: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MlflowTracker(new_root())
    run = tracker.start_parent_run("report", "report", {})
    uploaded: list[str] = []
    log_artifact = tracker.log_artifact
    monkeypatch.setattr(tracker, "log_artifact", lambda *given: (uploaded.append(given[1]), log_artifact(*given)))
    assert tracker.log_files(run, {"page.html": b"a", "figures/b.png": b"b"})
    assert not tracker.log_files(run, {"page.html": b"a", "figures/b.png": b"b"})
    assert uploaded == ["page.html", "figures/b.png"]
    assert tracker.log_files(run, {"page.html": b"c", "figures/b.png": b"b"})
    assert {each.path for each in tracker.client.list_artifacts(run)} == {"page.html", "figures"}


@pytest.mark.parametrize("name", ["a folder", "großes Haus", "50%", "a%20b", "why?", "a#b", "a+b&c"])
def test_a_store_works_in_a_folder_of_any_name(new_root: Callable[[], Path], tmp_path: Path, name: str) -> None:
    root = new_root().rename(tmp_path / name)
    tracker = MlflowTracker(root)
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    tracker.log_artifact(parent, "a/b.txt", b"x")
    (path,) = root.rglob("b.txt")
    assert path.read_bytes() == b"x"
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_a_moved_checkout_keeps_its_runs_and_their_files(new_root: Callable[[], Path], tmp_path: Path) -> None:
    root = new_root()
    before = MlflowTracker(root)
    run = before.start_parent_run("study:abc", "minilm", {})
    before.log_artifact(run, "a.txt", b"x")
    moved = root.rename(tmp_path / "moved")
    tracker = MlflowTracker(moved)
    assert tracker.start_parent_run("study:abc", "minilm", {}) == run
    tracker.log_artifact(run, "b.txt", b"y")
    assert {item.path for item in tracker.client.list_artifacts(run)} == {"a.txt", "b.txt"}
    assert {path.name for path in moved.rglob("?.txt")} == {"a.txt", "b.txt"}
    assert not root.exists()


def test_experiments_of_others_keep_their_place(root: Path, tmp_path: Path) -> None:
    tracker = MlflowTracker(root)
    tracker.start_parent_run("study:abc", "minilm", {})
    theirs = tracker.client.create_experiment("theirs", artifact_location="file:///data/artifacts")
    tracker.client.create_run(theirs)
    moved = root.rename(tmp_path / "moved")
    client = MlflowTracker(moved).client
    assert client.get_experiment(theirs).artifact_location == "file:///data/artifacts"


def assert_opening_fails(uri: str, message: str, root: Path = Path("/nowhere")) -> None:
    start = time.monotonic()
    with pytest.raises(TrackingError, match=message) as caught:
        MlflowTracker(root, uri)
    assert time.monotonic() - start < 30  # MLflow's own timeouts are minutes
    assert redacted_uri(uri) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "someone" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "m.db").write_text("These are notes, not a database. " * 50)
    assert_opening_fails(f"sqlite:///{tmp_path}/m.db", "file is not a database")
    assert (tmp_path / "m.db").read_text().startswith("These are notes")


def test_a_folder_in_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.db").mkdir()
    assert_opening_fails(f"sqlite:///{tmp_path}/m.db", "unable to open database file")


def test_a_folder_that_cannot_be_created_or_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert_opening_fails(f"sqlite:///{tmp_path}/file/m.db", "exists|Not a directory")
    assert_opening_fails("sqlite:////proc/mlruns/m.db", "/proc/mlruns")


def test_a_database_that_stays_locked_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_alf.tracking.database.PROBE_TIMEOUT_S", 0.3)
    path = root / "mlruns" / "mlflow.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert_opening_fails(f"sqlite:///{path}", "database is locked")
    finally:
        other.close()


def test_opening_waits_while_another_process_creates_the_store(root: Path) -> None:
    locked, start = threading.Event(), time.monotonic()

    def create() -> None:
        with hold_lock(root / "mlruns" / ".mlflow.db.lock"):
            locked.set()
            time.sleep(0.5)

    creator = threading.Thread(target=create)
    creator.start()
    locked.wait()
    MlflowTracker(root)
    creator.join()
    assert time.monotonic() - start >= 0.5


@pytest.mark.long
def test_a_newer_database_is_refused_with_a_backup(root: Path) -> None:
    path = root / "mlruns" / "mlflow.db"
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
    db.close()
    with pytest.raises(TrackingError, match=r"cannot migrate .*fedcba987654"):
        MlflowTracker(root)
    assert list((root / "mlruns").glob("mlflow.db.before-*"))


@pytest.mark.long
def test_an_older_database_is_migrated_with_a_backup(tmp_path: Path) -> None:
    import sqlalchemy
    from alembic import command
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    uri = tracking_uri(tmp_path)
    (tmp_path / "mlruns").mkdir()
    engine = sqlalchemy.create_engine(uri)
    Base.metadata.create_all(engine)
    config = _get_alembic_config(uri)
    previous = ScriptDirectory.from_config(config).get_revision("heads").down_revision
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, str(previous))
    engine.dispose()
    with pytest.raises(TrackingError, match="must have the schema of MLflow"):
        open_store(uri, create=False)
    tracker = MlflowTracker(tmp_path)
    assert tracker.start_parent_run("study:abc", "minilm", {})
    assert list((tmp_path / "mlruns").glob("mlflow.db.before-*"))


def test_a_server_that_is_down_is_refused_within_seconds() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert_opening_fails(f"http://someone:secret@127.0.0.1:{port}/mlflow?token=secret", "Connection refused")


def test_a_server_without_a_response_is_refused_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_alf.tracking.store.PROBE_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert_opening_fails(f"http://someone:secret@127.0.0.1:{server.getsockname()[1]}", "timed out")


class LoginPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html><body>Please log in</body></html>")

    do_POST = do_GET  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        pass


@pytest.fixture
def login_page() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), LoginPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_login_page_is_refused(login_page: int) -> None:
    assert_opening_fails(f"http://someone:secret@127.0.0.1:{login_page}", "cannot use the MLflow store")


def test_a_store_that_fails_later_is_named(root: Path) -> None:
    tracker = MlflowTracker(root)
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    with sqlite3.connect(root / "mlruns" / "mlflow.db") as db:
        db.execute("DROP TABLE params")
    db.close()
    with pytest.raises(TrackingError, match=r"cannot use the MLflow store .*mlflow\.db"):
        tracker.log_run(parent, RunRecord("key", "key", 1, 2, params={"a": "1"}))


def test_reading_a_missing_store_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no such file"):
        open_store(tracking_uri(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TrackingError, match=r"/why\?/mlruns/mlflow\.db: no such file"):
        open_store(tracking_uri(tmp_path / "why?"), create=False)


def test_credentials_are_removed_from_uris_and_messages() -> None:
    uri = "https://someone:secret@host:5000/x?token=key"
    assert redacted_uri(uri) == "https://host:5000/x"
    assert redacted_uri("sqlite:////why?/a@b/mlflow.db") == "sqlite:////why?/a@b/mlflow.db"
    text = f"401 for {uri}: user someone, password secret, http://other:word@elsewhere/"
    assert not {"someone", "secret", "key", "word"} & set(redact(text, uri).replace("/", " ").replace(":", " ").split())


@pytest.mark.long
def test_a_server_stores_runs_and_schedules_like_a_file(root: Path, tmp_path: Path) -> None:
    from finetune_alf.schedules.published import published
    from finetune_alf.schedules.registry import Registry

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking_uri(root), "--artifacts-destination", str(tmp_path / "artifacts")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        tracker = _wait_for(f"http://127.0.0.1:{port}", tmp_path)
        parent = tracker.start_parent_run("study:abc", "minilm", {})
        record = RunRecord("key", "trial 0", 1, 2, params={"a": "1"}, artifacts={"b/c.txt": b"c"})
        assert tracker.log_run(parent, record) == tracker.log_run(parent, record) == tracker.find_run("key")
        registry = Registry(tracker.uri)
        schedule = published("bert-alf-1")
        assert [registry.register("alf-minilm", schedule, "alf-1", parent).version for _ in range(2)] == [1, 1]
        assert registry.pull("alf-minilm@alf-1").schedule == schedule
        assert list((tmp_path / "artifacts").rglob("c.txt"))
    finally:
        server.terminate()
        server.wait()


def _wait_for(uri: str, root: Path) -> MlflowTracker:
    deadline = time.monotonic() + 60
    while True:
        try:
            return MlflowTracker(root, uri)
        except TrackingError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
