"""How often a tracker asks MLflow: its real store, with the calls counted."""

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.tracking import RunRecord
from finetune_alf.tracking.mlflow import MlflowTracker

N_RUNS = 1_000
PARENT = "study/tiny/0123"


def record(number: int) -> RunRecord:
    return RunRecord(f"{PARENT}/{number}", f"trial {number}", number, number + 1)


@pytest.fixture
def full_root(root: Path) -> Path:
    """A store with a parent run of 1,000 complete trials: one by a tracker, and copies of its rows."""
    tracker = MlflowTracker(root, project="small")
    run = tracker.log_run(tracker.start_parent_run(PARENT, "study tiny", {}), record(0))
    with contextlib.closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as db, db:
        columns = [name for _, name, *_ in db.execute("PRAGMA table_info(runs)") if name != "run_uuid"]
        for number in range(1, N_RUNS):
            db.execute(
                f"INSERT INTO runs (run_uuid, {', '.join(columns)}) "  # noqa: S608
                f"SELECT ?, {', '.join(columns)} FROM runs WHERE run_uuid = ?",
                (f"{number:032x}", run),
            )
            db.execute(
                "INSERT INTO tags (key, value, run_uuid) "
                "SELECT key, CASE key WHEN 'alf.key' THEN ? ELSE value END, ? FROM tags WHERE run_uuid = ?",
                (f"small/{PARENT}/{number}", f"{number:032x}", run),
            )
    return root


def counted(tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the calls of a tracker's client."""
    calls, client = Counter[str](), tracker.client
    for name in dir(client):
        if not name.startswith("_") and callable(method := getattr(client, name)):

            def call(*args: Any, _name: str = name, _method: Any = method, **kwargs: Any) -> Any:
                calls[_name] += 1
                return _method(*args, **kwargs)

            monkeypatch.setattr(client, name, call)
    return calls


def test_known_trials_take_a_handful_of_calls(full_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MlflowTracker(full_root, project="small")
    calls = counted(tracker, monkeypatch)
    parent = tracker.start_parent_run(PARENT, "study tiny", {})
    for number in range(N_RUNS):
        tracker.log_run(parent, record(number))
    assert calls["search_runs"] <= 4
    assert calls.total() <= 8
    before = calls.copy()
    tracker.log_run(parent, record(N_RUNS))
    assert (calls - before)["search_runs"] == 1
    assert (calls - before).total() <= 5


def test_a_known_run_of_another_project_is_not_ours(full_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MlflowTracker(full_root, project="other")
    parent = tracker.start_parent_run(PARENT, "study tiny", {})
    calls = counted(tracker, monkeypatch)
    for number in (0, 5):
        tracker.log_run(parent, record(number))
    assert calls["create_run"] == 2
