"""The services of compose.yaml as plain processes with its settings, and a study in both."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from postgres_server import PostgresServer, find_programs
from small_project import PARAMS

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())
DATABASE, MLFLOW = SERVICES["services"]["database"], SERVICES["services"]["mlflow"]
PASSWORD = "canary71c4"  # noqa: S105 - of a server that is removed
N_TRIALS = 4

pytestmark = pytest.mark.long


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def filled(value: str) -> str:
    """A value of compose.yaml with its variables replaced, as compose does."""
    defaults = re.sub(r"\$\{(?!POSTGRES_PASSWORD)\w+:-([^}]*)\}", r"\1", value)
    return re.sub(r"\$\{POSTGRES_PASSWORD[^}]*\}", PASSWORD, defaults)


@pytest.fixture(scope="module")
def database():
    """The database service: what its image does with these variables. Yields its port."""
    programs = find_programs()
    if programs is None:
        pytest.skip("no PostgreSQL: `postgres` is neither on PATH nor in /usr/lib/postgresql")
    settings = {name: filled(value) for name, value in DATABASE["environment"].items()}
    user, port = settings["POSTGRES_USER"], free_port()
    folder = Path(tempfile.mkdtemp(prefix="alf-compose-", dir="/tmp"))
    server = PostgresServer(folder, programs)
    (folder / "password").write_text(settings["POSTGRES_PASSWORD"])
    (folder / "studies.sql").write_text(SERVICES["configs"]["studies"]["content"])
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres")
    try:
        access = ["--auth=scram-sha-256", f"--username={user}", f"--pwfile={folder}/password"]
        server.command("initdb", f"--pgdata={folder}/data", "--encoding=UTF8", "--locale=C", "--no-sync", *access)
        server.start(listen_addresses="127.0.0.1", port=port)
        environment = {**os.environ, "PGPASSWORD": settings["POSTGRES_PASSWORD"]}
        where = [f"--host={folder}", f"--port={port}", f"--username={user}"]
        server.command("createdb", *where, settings["POSTGRES_DB"], env=environment)
        script = [f"--dbname={settings['POSTGRES_DB']}", f"--file={folder}/studies.sql"]
        server.command("psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *where, *script, env=environment)
        _, *check = DATABASE["healthcheck"]["test"]
        assert "accepting connections" in server.command(*check, f"--host={folder}", f"--port={port}")
        yield port
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def mlflow(database, tmp_path_factory):
    """The service of MLflow, with what its image installs. Yields its URL and the folder of its artifacts."""
    folder = tmp_path_factory.mktemp("mlflow")
    [pinned] = re.findall(r"pip install --no-cache-dir (.*?) \\", MLFLOW["build"]["dockerfile_inline"])
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    install = [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", *pinned.split()]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the package index: {done.stderr[-200:]}")
    port = free_port()
    changes = {"--host": "127.0.0.1", "--port": str(port), "--artifacts-destination": str(folder / "artifacts")}
    words = [word.partition("=") for word in MLFLOW["command"]]
    command = [f"{name}{equals}{changes.get(name, value)}" for name, equals, value in words]
    settings = {name: filled(value) for name, value in MLFLOW["environment"].items()}
    settings["MLFLOW_BACKEND_STORE_URI"] = settings["MLFLOW_BACKEND_STORE_URI"].replace(
        "@database/", f"@127.0.0.1:{database}/"
    )
    log = folder / "log"
    path = f"{folder}/venv/bin:{os.environ['PATH']}"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings, "PATH": path}, stdout=out, stderr=out
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, log)
        yield url, folder / "artifacts"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310 - a server of this test
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def search(url: str, text: str) -> list[dict]:
    """All runs of the one experiment of the project, by a filter."""
    [experiment] = [
        each["experiment_id"]
        for each in post(url, "experiments/search", {"max_results": 10})["experiments"]
        if each["name"].startswith("finetune_alf.")
    ]
    return post(url, "runs/search", {"experiment_ids": [experiment], "filter": text}).get("runs", [])


def post(url: str, what: str, body: object, **headers: str) -> dict:
    request = urllib.request.Request(  # noqa: S310 - a server of this test
        f"{url}/api/2.0/mlflow/{what}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def test_a_study_keeps_its_trials_in_the_database_and_its_runs_and_files_on_the_server(database, mlflow, tmp_path):
    url, artifacts = mlflow
    text = PARAMS.replace("n_trials: 12", f"n_trials: {N_TRIALS}")
    stores = f"tracking: {{uri: '{url}'}}\nstudy_store: {{url: 'postgresql://mlflow@127.0.0.1:{database}/studies'}}\n"
    (tmp_path / "params.yaml").write_text(text + stores)
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    for words in (["prepare", "films"], ["study", "tiny"], ["report"]):
        command = [sys.executable, "-m", "finetune_alf.cli", *words, "--root", str(tmp_path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    assert not list(tmp_path.glob("studies/**/*.db"))
    trials = search(url, "tags.`alf.trial` != ''")
    assert len(trials) == N_TRIALS
    assert {run["info"]["status"] for run in trials} == {"FINISHED"}
    assert [path for path in artifacts.rglob("report.html") if path.stat().st_size > 10_000]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_the_server_refuses_names_of_hosts_that_are_not_listed(mlflow):
    url, _ = mlflow
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(url, "experiments/search", {"max_results": 1}, Host="evil.example.org")
    refused.value.close()
    assert refused.value.code == 403
