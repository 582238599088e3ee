"""A study on a Ray cluster whose machines are lost: no trial is lost or recorded twice, and all are equal."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from fake_studies import outcome_of, study
from ray_calls import N_TRIALS, SPEC, happened

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]


def test_ten_lost_machines_cost_no_trial_and_record_none_twice(tmp_path: Path) -> None:
    found = happened("lose_machines", tmp_path / "ray", 10)
    assert found["n_lost"] == 10
    assert Counter(found["committed"]) == Counter(range(N_TRIALS))
    assert outcome_of(study(tmp_path / "ray", SPEC)) == outcome_of(study(tmp_path / "serial", SPEC))


def test_a_lost_head_ends_the_run_and_the_next_start_has_all_that_was_committed(tmp_path: Path) -> None:
    found = happened("lose_head", tmp_path / "ray")
    assert "cannot reach the head of the Ray cluster" in found["message"]
    assert found["seconds"] < 60
    again = happened("run_whole", tmp_path / "ray")
    n_kept = len(found["committed"])
    assert n_kept >= 5
    assert sorted(again["committed"][:n_kept]) == sorted(found["committed"])  # each start tells the finished ones first
    assert Counter(again["committed"]) == Counter(range(N_TRIALS))
    assert outcome_of(study(tmp_path / "ray", SPEC)) == outcome_of(study(tmp_path / "serial", SPEC))
