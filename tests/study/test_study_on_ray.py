"""A study on a Ray cluster whose machines are lost: no trial is lost or recorded twice, and all are equal."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fake_studies import outcome_of, study, study_spec

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]

RANDOM = study_spec(n_trials=60, sampler={"kind": "random"})


def happened(function: str, root: Path, *arguments: object) -> dict[str, Any]:
    """Run a function of ray_studies.py, and return what it printed."""
    command = [sys.executable, "-c", f"import ray_studies; ray_studies.{function}()", str(root), *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    assert completed.returncode == 0, completed.stderr[-3000:]
    print(completed.stdout)
    printed = [line for line in completed.stdout.splitlines() if line.startswith("{")]  # Ray prints lines of its own
    found: dict[str, Any] = json.loads(printed[-1])
    return found


def test_ten_lost_machines_cost_no_trial_and_record_none_twice(tmp_path: Path) -> None:
    found = happened("lose_machines", tmp_path / "ray", 10)
    assert found["n_lost"] == 10
    assert Counter(found["committed"]) == Counter(range(60))
    assert outcome_of(study(tmp_path / "ray", RANDOM)) == outcome_of(study(tmp_path / "serial", RANDOM))


def test_a_lost_head_ends_the_run_and_the_next_start_has_all_that_was_committed(tmp_path: Path) -> None:
    found = happened("lose_head", tmp_path / "ray")
    assert "cannot reach the head of the Ray cluster" in found["message"]
    assert found["seconds"] < 60
    again = happened("run_whole", tmp_path / "ray")
    n_kept = len(found["committed"])
    assert n_kept >= 5
    assert sorted(again["committed"][:n_kept]) == sorted(found["committed"])  # each start tells the finished ones first
    assert Counter(again["committed"]) == Counter(range(60))
    assert outcome_of(study(tmp_path / "ray", RANDOM)) == outcome_of(study(tmp_path / "serial", RANDOM))
