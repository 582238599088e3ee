"""The benchmark of growth: what it plants is read as what a study has written, and it prints its table."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import growth


def test_a_number_of_trials_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--only", "proposal", "--trials", "20", "1200"])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| trials | proposal, ms |"
    assert [row.split("|")[1].strip() for row in rows] == ["20", "1,200"]


def test_a_command_that_fails_is_an_error_and_one_that_ends_is_measured() -> None:
    cost, printed = growth.measured(sys.executable, "-c", "print(sum(range(3_000_000)))")
    assert printed == "4499998500000\n"
    assert 0 < cost.cpu_s < 60
    assert cost.peak_mib > 1
    with pytest.raises(growth.subprocess.CalledProcessError):
        growth.measured(sys.executable, "-c", "raise SystemExit(3)")


@pytest.mark.long
def test_planted_trials_and_runs_are_taken_for_those_of_the_study(capsys: pytest.CaptureFixture[str]) -> None:
    growth.main(["--trials", "12"])
    head, _, row = capsys.readouterr().out.splitlines()
    assert row.startswith("| 12 |")
    assert row.count("|") == head.count("|") == 13
