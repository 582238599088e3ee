"""What `pip install finetune-alf` adds where torch and transformers are: few packages, and few megabytes."""

import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from new_environment import new_environment

ROOT = Path(__file__).parents[1]
MAX_PACKAGES, MAX_BYTES = 2, 5_000_000


def closure(requirements: list[str]) -> set[str]:
    """Return the distributions that these need, by normalized name; those that are not installed need nothing."""
    found: set[str] = set()
    to_do = [Requirement(each) for each in requirements]
    while to_do:
        requirement = to_do.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            to_do += map(Requirement, metadata.requires(name) or ())
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
    return found


def n_bytes(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")


def test_a_light_install_adds_few_packages_and_megabytes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    added = closure(project["dependencies"]) - closure(["torch", "transformers"])
    assert len(added) <= MAX_PACKAGES, added
    others = [Path(str(file.locate())) for name in added for file in metadata.files(name) or ()]
    own = list((ROOT / "src" / "finetune_alf").rglob("*"))
    assert n_bytes(own) > 1_000_000
    assert n_bytes(others) + n_bytes(own) <= MAX_BYTES


def test_the_core_needs_neither_numpy_nor_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert closure(project["dependencies"]).isdisjoint({"numpy", "torch", "transformers", "scipy"})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow server with a store of its own."""
    pytest.importorskip("mlflow.server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        f"{tmp_path}/files",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 600
    while True:
        try:
            urllib.request.urlopen(url, timeout=10)  # noqa: S310 - http, on this machine
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(1)


PULL = """
import importlib.util, sys
from finetune_alf import Schedule

schedule = Schedule.pull("team.shared@good", sys.argv[1])
print(schedule.name, schedule.digest, *(importlib.util.find_spec(name) for name in ("torch", "numpy", "sqlalchemy")))
"""


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_extra_pull_reads_a_registry_without_the_pipeline(server: str, tmp_path: Path) -> None:
    from finetune_alf import Schedule
    from finetune_alf.schedules.push import push

    schedule = Schedule.published("distilbert-alf-1")
    push(schedule, "team.shared@good", server)
    (tmp_path / "new").mkdir()
    python = new_environment(tmp_path / "new", "[pull]")
    (tmp_path / "empty").mkdir()

    def run(*words: str) -> str:
        done = subprocess.run(
            [python, "-I", *words], cwd=tmp_path / "empty", capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert run("-c", PULL, server).split() == [schedule.name, schedule.digest, "None", "None", "None"]
    assert "team.shared@good" in run("-m", "finetune_alf.cli", "schedules", "list", "--uri", server)
    run("-m", "finetune_alf.cli", "schedules", "pull", "team.shared@good", "--uri", server, "--out", "mine.json")
    assert Schedule.load(tmp_path / "empty" / "mine.json") == schedule
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["mine.json"]  # no store was made beside it
