"""`params check` asks the servers that params.yaml names: MLflow's, and the PostgreSQL server of studies."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from finetune_alf.cli.entry import group
from postgres_server import PASSWORD, PostgresServer
from small_project import PARAMS


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("MLFLOW_TRACKING_URI", "ALF_STUDY_STORE"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens: it is bound, so that no other process gets it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def http_port() -> Iterator[int]:
    """A server that answers every request, as MLflow's answers /health."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def check(root: Path, *settings: str, words: tuple[str, ...] = ()) -> Result:
    (root / "params.yaml").write_text("\n".join([PARAMS, *settings]))
    return CliRunner().invoke(group, ["params", "check", *words, "--root", str(root)])


def test_a_server_of_mlflow_that_answers_is_not_mentioned(root: Path, http_port: int) -> None:
    for on_failure in ("continue", "wait"):
        told = check(root, f"tracking: {{uri: 'http://127.0.0.1:{http_port}', on_failure: {on_failure}}}")
        assert (told.exit_code, told.stderr) == (0, "")
        assert "note" not in told.stdout


def test_a_server_of_mlflow_that_is_down_is_a_note_where_fits_go_on_without_it(root: Path, closed_port: int) -> None:
    settings = f"tracking: {{uri: 'http://alf:{PASSWORD}@127.0.0.1:{closed_port}'}}"
    told = check(root, settings)
    assert told.exit_code == 0
    assert f"note: cannot use the MLflow store http://127.0.0.1:{closed_port}: ConnectionRefusedError" in told.stdout
    assert "Fits go on without it" in told.stdout
    found = json.loads(check(root, settings, words=("--json",)).stdout)
    assert found["valid"] is True
    assert "ConnectionRefusedError" in found["note"]
    assert PASSWORD not in told.output + found["note"]


def test_a_server_of_mlflow_that_is_down_is_a_fault_where_stages_wait_for_it(root: Path, closed_port: int) -> None:
    told = check(root, f"tracking: {{uri: 'http://127.0.0.1:{closed_port}', on_failure: wait}}")
    assert told.exit_code == 4
    assert told.stderr.startswith(f"cannot use the MLflow store http://127.0.0.1:{closed_port}: ConnectionRefused")


def test_a_server_of_studies_that_answers_is_not_mentioned(
    root: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALF_STUDY_STORE", postgres.url)
    told = check(root)
    assert (told.exit_code, told.stderr) == (0, "")


def test_another_database_and_a_wrong_password_are_faults_without_the_password(
    root: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALF_STUDY_STORE", postgres.url.replace("/studies", "/nothing"))
    told = check(root)
    assert told.exit_code == 4
    assert told.stderr.startswith("cannot use postgresql://")
    assert 'database "nothing" does not exist' in told.stderr
    monkeypatch.setenv("ALF_STUDY_STORE", postgres.url.replace(PASSWORD, f"{PASSWORD}x"))
    refused = check(root)
    assert refused.exit_code == 4
    assert "authentication failed" in refused.stderr
    assert PASSWORD not in told.output + refused.output


@pytest.mark.parametrize(("port", "message"), [("closed_port", "refused"), ("silent_port", "timeout")])
def test_a_server_of_studies_that_is_down_or_silent_is_a_fault_within_seconds(
    root: Path, port: str, message: str, request: pytest.FixtureRequest
) -> None:
    place = f"127.0.0.1:{request.getfixturevalue(port)}/studies"
    begin = time.monotonic()
    told = check(root, f"study_store: {{url: 'postgresql://alf@{place}'}}")
    assert told.exit_code == 4
    assert told.stderr.startswith(f"cannot use postgresql://{place}: ")
    assert message in told.stderr
    assert time.monotonic() - begin < 30


def test_all_servers_that_are_down_are_named_at_once(root: Path, closed_port: int) -> None:
    told = check(
        root,
        f"study_store: {{url: 'postgresql://alf@127.0.0.1:{closed_port}/studies'}}",
        f"tracking: {{uri: 'http://127.0.0.1:{closed_port}', on_failure: wait}}",
    )
    assert told.exit_code == 4
    assert [line.split(":")[0] for line in told.stderr.splitlines()] == [
        "cannot use postgresql",
        "cannot use the MLflow store http",
    ]
