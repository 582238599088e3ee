"""The process that writes to MLflow beside a stage: a real one, on a real store."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_alf.tracking import RunRecord, mirror
from finetune_alf.tracking.mirror import Waiting, end_mirrors, free_mirror
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.orders import Follow
from finetune_alf.tracking.spool import new_spool, spools
from finetune_alf.tracking.store import tracking_uri

KEY = "study/tiny/0123"


def records(n: int) -> list[RunRecord]:
    return [RunRecord(f"{KEY}/{number}", f"trial {number}", number, number + 1) for number in range(n)]


def stage(root: Path, uri: str, n: int, *, until_written: bool = False) -> Waiting | None:
    """Do what a stage does with `n` trials."""
    with new_spool(root / "spool", KEY) as spool:
        used = free_mirror()
        spool.start_parent_run(KEY, "study tiny", {})
        used.follow(Follow(str(spool.path), uri, "mine", "small"))
        for record in records(n):
            spool.log_run(KEY, record)
            used.check()
        spool.end_parent_run(KEY, "FINISHED", {"score": 0.5})
        return used.close(spool, until_written=until_written)


def statuses(root: Path) -> dict[str, str]:
    tracker = MlflowTracker(root, experiment="mine", project="small")
    found = tracker.client.search_runs([tracker.experiment_id])
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run.info.status for run in found}


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_one_process_writes_the_runs_of_one_stage_after_another(root: Path) -> None:
    uri = tracking_uri(root)
    assert stage(root, uri, 2) is None
    process = free_mirror()
    assert stage(root, uri, 3) is None
    assert free_mirror() is process
    assert statuses(root) == dict.fromkeys(("study tiny", "trial 0", "trial 1", "trial 2"), "FINISHED")
    assert spools(root / "spool") == []


def test_a_killed_process_loses_nothing_and_the_next_start_writes_what_waits(root: Path) -> None:
    with new_spool(root / "spool", KEY) as spool:
        used = free_mirror()
        used.follow(Follow(str(spool.path), tracking_uri(root), "mine", "small"))
        os.kill(used._process.pid, signal.SIGKILL)
        spool.start_parent_run(KEY, "study tiny", {})
        for record in records(2):
            spool.log_run(KEY, record)
        spool.end_parent_run(KEY, "FINISHED", {})
        waiting = used.close(spool, until_written=False)
    assert waiting is not None
    assert waiting.n_calls == 4
    assert "has ended" in waiting.reason
    assert stage(root, tracking_uri(root), 1) is None
    assert statuses(root) == dict.fromkeys(("study tiny", "trial 0", "trial 1"), "FINISHED")
    assert spools(root / "spool") == []


def test_a_process_that_has_closed_its_pipe_serves_no_other_stage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_spool(root / "spool", KEY) as spool:
        used = free_mirror()
        used.follow(Follow(str(spool.path), tracking_uri(root), "mine", "small"))
        os.kill(used._process.pid, signal.SIGKILL)
        # For a moment the system has closed the pipes, and does not say yet that the process has ended.
        monkeypatch.setattr(used._process, "poll", lambda: None)
        assert used.close(spool, until_written=False) is not None
    assert not used.is_free
    assert free_mirror() is not used


@pytest.mark.parametrize("server", ["closed_port", "silent_server"])
def test_a_server_that_is_down_or_hangs_is_told_once_and_blocks_no_stage(
    root: Path,
    server: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    uri = request.getfixturevalue(server)
    monkeypatch.setattr(mirror, "END_TIMEOUT_S", 0.5)
    with caplog.at_level(logging.WARNING):
        for n_trials in (3, 4):
            waiting = stage(root, uri, n_trials)
            assert waiting is not None
            assert waiting.n_calls == n_trials + 2
    assert caplog.text.count("Fits go on") == (1 if server == "closed_port" else 0)
    assert stage(root, tracking_uri(root), 0) is None
    assert statuses(root) == dict.fromkeys(("study tiny", *(f"trial {n}" for n in range(4))), "FINISHED")
    assert spools(root / "spool") == []


def test_the_end_of_an_interrupted_stage_is_short_also_before_mlflow_is_loaded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "INTERRUPTED_TIMEOUT_S", 0.1)
    end_mirrors()
    with new_spool(root / "spool", KEY) as spool:
        used = free_mirror()
        used.follow(Follow(str(spool.path), tracking_uri(root), "mine", "small"))
        spool.start_parent_run(KEY, "study tiny", {})
        spool.end_parent_run(KEY, "KILLED", {})
        started = time.monotonic()
        waiting = used.close(spool, until_written=True, is_interrupted=True)
        assert time.monotonic() - started < mirror.START_TIMEOUT_S / 4
    assert waiting is not None
    assert waiting.n_calls == 2
    assert stage(root, tracking_uri(root), 0) is None
    assert statuses(root) == {"study tiny": "FINISHED"}
    assert spools(root / "spool") == []


FOLLOWS = """
import sys, time
from pathlib import Path
from finetune_alf.tracking.mirror import Mirror
mirror = Mirror()
print(mirror._process.pid, flush=True)
time.sleep(60)
"""


def test_the_process_ends_with_the_one_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", FOLLOWS], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()


def test_another_environment_of_mlflow_takes_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_mirror()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert free_mirror() is not first
    end_mirrors()
    assert not first.is_free
