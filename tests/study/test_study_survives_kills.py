"""Studies killed at random moments: nothing lost, nothing twice, nothing left running, the same to the bit.

Each run prints its seed; KILL_SEED=… repeats it.
"""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from killing import spec_of
from planted import LightPool, outcome_of, study, study_spec
from planted_work import PlantedKiller

from finetune_alf.study.identity import databases
from finetune_alf.study.records import TrialRecord, read_records

N_TRIALS = 12

Outcome = list[tuple[int, str, dict[str, float], float | None]]


def killed(root: Path, arguments: Sequence[object]) -> dict[str, int]:
    """Kill studies as `killing.main` is asked to."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", "import killing; killing.main()", str(root), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counted: dict[str, int] = json.loads(done.stdout)
    print(counted, *arguments)
    return counted


def seed_of_run() -> int:
    return int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(2**31)))


def check_survivor(root: Path, expected: Outcome) -> None:
    """Check the database against an uninterrupted run, and against what was acknowledged."""
    (database,) = databases(root / "studies", "small")
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    trials = optuna.load_study(study_name="small", storage=f"sqlite:///{database}").trials
    assert [trial.number for trial in trials] == list(range(len(expected)))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert [(t.number, t.user_attrs["rates"], t.value) for t in trials] == [(n, r, s) for n, _, r, s in expected]
    acknowledged = [json.loads(line) for line in (root / "acknowledged").read_text().splitlines()]
    assert {(number, score) for number, score in acknowledged} == {(n, s) for n, _, _, s in expected}
    assert _outcome(read_records(root / "results/study/small/trials.jsonl")) == expected


def _outcome(records: Sequence[TrialRecord]) -> Outcome:
    return [(record.number, record.state, record.rates, record.score) for record in records]


@pytest.mark.parametrize(
    ("sampler", "n_kills"),
    [
        ("tpe", 15),
        pytest.param("tpe", 200, marks=pytest.mark.long),
        pytest.param("qmc", 200, marks=pytest.mark.long),
    ],
)
def test_a_killed_study_ends_as_one_that_was_never_killed(tmp_path: Path, sampler: str, n_kills: int) -> None:
    counted = killed(tmp_path, [sampler, N_TRIALS, n_kills, 1, seed_of_run(), 0.5, 0.002])
    expected = outcome_of(study(tmp_path / "whole", spec_of(N_TRIALS, sampler)))
    for number in range(counted["n_rounds"]):
        check_survivor(tmp_path / str(number), expected)


@pytest.mark.parametrize("n_kills", [6, pytest.param(100, marks=pytest.mark.long)])
def test_a_killed_study_with_a_pool_ends_as_one_that_was_never_killed(tmp_path: Path, n_kills: int) -> None:
    counted = killed(tmp_path, ["random", N_TRIALS, n_kills, 2, seed_of_run(), 1.0, 0.01])
    expected = outcome_of(study(tmp_path / "whole", spec_of(N_TRIALS, "random")))
    for number in range(counted["n_rounds"]):
        check_survivor(tmp_path / str(number), expected)
    assert not _workers_within(2)


@pytest.mark.parametrize("n_trials", [9, pytest.param(60, marks=pytest.mark.long)])
def test_a_study_whose_workers_are_killed_ends_as_one_whose_workers_live(tmp_path: Path, n_trials: int) -> None:
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    spec = study_spec(sampler="random", n_trials=n_trials)
    survived = study(tmp_path / "killed", spec, PlantedKiller(deaths), LightPool(2))
    assert len(list(deaths.iterdir())) == sum(number % 3 for number in range(n_trials))
    assert outcome_of(survived) == outcome_of(study(tmp_path / "whole", spec))


def _workers_within(seconds: float) -> list[str]:
    """Return the worker processes that still live after a while, of those that hold our test's modules."""
    deadline = time.monotonic() + seconds
    while (left := _spawned()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _spawned() -> list[str]:
    mine = f"PPid:\t{os.getpid()}"
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            status = (entry / "status").read_text()
        except OSError:
            continue
        if "multiprocessing.spawn" in command and ("PPid:\t1\n" in status or mine in status):
            found.append(command)
    return found
