"""The benchmark of executors: what its digest is over, and that all executors find the same."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import executors

from finetune_alf.json_files import write_json, write_jsonl


def digest_of(root: Path, **changes: Any) -> str:
    fields = {"score": 0.5, "loss": 0.25, "mean": 0.75, "started_ms": 1, "seconds": 1.0, "created": "today"} | changes
    result = {
        "epochs": [{"validation_loss": fields["loss"], "seconds": fields["seconds"]}],
        "predictions": [0, 1],
        "movement": None,
        "started_ms": fields["started_ms"],
    }
    trial = {"number": 0, "state": "complete", "rates": {}, "score": fields["score"], "repeats": None, "result": result}
    schedule = {"provenance": {"created": fields["created"]}, "confirmed": {"mean": fields["mean"]}}
    write_jsonl(root / "results/study/tiny/trials.jsonl", [trial])
    lock = {"candidates": [], "schedules": {"alf-1": {"schedule": schedule}}}
    write_json(root / "results/schedules/tiny.json", lock)
    return executors.digest_of(root)


def test_the_digest_is_over_scores_epochs_and_schedules_and_not_over_times(tmp_path: Path) -> None:
    same = digest_of(tmp_path)
    assert len(same) == 64
    assert digest_of(tmp_path, started_ms=2, seconds=2.0, created="tomorrow") == same
    for changed in ({"score": 0.6}, {"loss": 0.3}, {"mean": 0.8}):
        assert digest_of(tmp_path, **changed) != same


@pytest.mark.parametrize("is_same", [True, False])
def test_two_digests_end_with_1(
    is_same: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(executors, "prepared_project", lambda root, n_trials: root)
    monkeypatch.setattr(executors, "run", lambda project, root, setup: (1.0, "a" if is_same else f"a{setup.n_workers}"))
    assert executors.main([]) == (0 if is_same else 1)
    assert "| `pool` | 4 | 1.0 | `a" in capsys.readouterr().out


@pytest.mark.long
def test_one_study_is_the_same_by_every_executor(capsys: pytest.CaptureFixture[str]) -> None:
    assert executors.main(["--trials", "8"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(executors.setups())
    assert len({row.split("|")[4] for row in rows}) == 1
