"""Studies killed at random moments end with the same trials to the bit, and leave no process.

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
from fake_fits import WorkerKillingFit
from fake_studies import LightPool, outcome_of, study, study_spec
from killing import spec_of

from finetune_alf.study.identity import study_databases
from finetune_alf.study.records import TrialRecord, read_trials

N_TRIALS = 12

Outcome = list[tuple[int, str, dict[str, float], float | None]]


def run_with_kills(root: Path, arguments: Sequence[object]) -> int:
    """Run studies and kill them with `killing.main`; return the number of studies."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", "import killing; killing.main()", str(root), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    print(counts, *arguments)
    return counts["n_studies"]


def seed_of_run() -> int:
    return int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(2**31)))


def check_resumed_study(root: Path, expected: Outcome) -> None:
    """Check the database against an uninterrupted study and against the acknowledged trials."""
    (database,) = study_databases(root / "studies", "small")
    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    trials = optuna.load_study(study_name="small", storage=f"sqlite:///{database}").trials
    assert [trial.number for trial in trials] == list(range(len(expected)))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert [(t.number, t.user_attrs["rates"], t.value) for t in trials] == [(n, r, s) for n, _, r, s in expected]
    acknowledged = [json.loads(line) for line in (root / "acknowledged").read_text().splitlines()]
    assert {(number, score) for number, score in acknowledged} == {(n, s) for n, _, _, s in expected}
    assert _outcome(read_trials(root / "results/study/small/trials.jsonl")) == expected


def _outcome(records: Sequence[TrialRecord]) -> Outcome:
    return [(record.number, record.state, record.rates, record.score) for record in records]


@pytest.mark.parametrize(
    ("sampler", "n_kills"),
    [
        ("tpe", 6),
        pytest.param("tpe", 200, marks=pytest.mark.long),
        pytest.param("qmc", 200, marks=pytest.mark.long),
    ],
)
def test_a_killed_study_ends_as_one_that_was_never_killed(tmp_path: Path, sampler: str, n_kills: int) -> None:
    n_studies = run_with_kills(tmp_path, [sampler, N_TRIALS, n_kills, 1, seed_of_run(), 0.5, 0.002])
    expected = outcome_of(study(tmp_path / "uninterrupted", spec_of(N_TRIALS, sampler)))
    for number in range(n_studies):
        check_resumed_study(tmp_path / str(number), expected)


@pytest.mark.long
@pytest.mark.parametrize("n_kills", [3, 100])
def test_a_killed_study_with_a_pool_ends_as_one_that_was_never_killed(tmp_path: Path, n_kills: int) -> None:
    n_studies = run_with_kills(tmp_path, ["random", N_TRIALS, n_kills, 2, seed_of_run(), 1.0, 0.01])
    expected = outcome_of(study(tmp_path / "uninterrupted", spec_of(N_TRIALS, "random")))
    for number in range(n_studies):
        check_resumed_study(tmp_path / str(number), expected)
    assert not _workers_after(2)


@pytest.mark.long
@pytest.mark.parametrize("n_trials", [6, 60])
def test_a_study_whose_workers_are_killed_ends_as_one_whose_workers_are_not(tmp_path: Path, n_trials: int) -> None:
    kills = tmp_path / "kills"
    kills.mkdir()
    spec = study_spec(sampler="random", n_trials=n_trials)
    resumed = study(tmp_path / "killed", spec, WorkerKillingFit(kills), LightPool(2))
    assert len(list(kills.iterdir())) == sum(number % 3 for number in range(n_trials))
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "uninterrupted", spec))


def _workers_after(seconds: float) -> list[str]:
    """Return the worker processes that are still alive after some seconds."""
    deadline = time.monotonic() + seconds
    while (left := _worker_processes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _worker_processes() -> list[str]:
    ours = f"PPid:\t{os.getpid()}"
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            status = (entry / "status").read_text()
        except OSError:
            continue
        if "multiprocessing.spawn" in command and ("PPid:\t1\n" in status or ours in status):
            found.append(command)
    return found
