"""Studies killed at random moments end with the same trials to the bit, and leave no process.

Each run prints its seed; KILL_SEED=… repeats it.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_fits import WorkerKillingFit
from fake_studies import LightPool, outcome_of, study, study_spec
from killing import spec_of

from kills import alive_after, orphaned_workers
from resumed import Faults, Trials, faults

N_TRIALS = 12


def run_with_kills(root: Path, arguments: Sequence[object]) -> dict[str, int]:
    """Run studies and kill them with `killing.main`; return its counts."""
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
    return counts


def seed_of_run() -> int:
    return int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(2**31)))


def check_resumed_studies(root: Path, n_studies: int, expected: Trials) -> None:
    """Check each database and its results against an uninterrupted study and the acknowledged trials."""
    assert n_studies
    for number in range(n_studies):
        assert faults(root / str(number), "small", expected) == Faults()


@pytest.mark.parametrize(
    ("sampler", "n_kills"),
    [
        ("tpe", 6),
        pytest.param("tpe", 200, marks=pytest.mark.long),
        pytest.param("qmc", 200, marks=pytest.mark.long),
    ],
)
def test_a_killed_study_ends_as_one_that_was_never_killed(tmp_path: Path, sampler: str, n_kills: int) -> None:
    counts = run_with_kills(tmp_path, [sampler, N_TRIALS, n_kills, 0, 1, seed_of_run(), 0.5, 0.002])
    expected = outcome_of(study(tmp_path / "uninterrupted", spec_of(N_TRIALS, sampler)))
    check_resumed_studies(tmp_path, counts["n_studies"], expected)


@pytest.mark.parametrize(("n_kills", "n_worker_kills"), [(1, 2), pytest.param(100, 200, marks=pytest.mark.long)])
def test_a_killed_study_with_a_pool_ends_as_one_that_was_never_killed(
    tmp_path: Path, n_kills: int, n_worker_kills: int
) -> None:
    """Coordinators and workers are killed."""
    arguments = ["random", N_TRIALS, n_kills, n_worker_kills, 2, seed_of_run(), 1.0, 0.01]
    counts = run_with_kills(tmp_path, arguments)
    expected = outcome_of(study(tmp_path / "uninterrupted", spec_of(N_TRIALS, "random")))
    check_resumed_studies(tmp_path, counts["n_studies"], expected)
    assert counts["n_survivors"] == 0
    assert not alive_after(2, orphaned_workers())


@pytest.mark.long
@pytest.mark.parametrize("n_trials", [6, 60])
def test_a_study_whose_workers_are_killed_ends_as_one_whose_workers_are_not(tmp_path: Path, n_trials: int) -> None:
    kills = tmp_path / "kills"
    kills.mkdir()
    spec = study_spec(sampler="random", n_trials=n_trials)
    resumed = study(tmp_path / "killed", spec, WorkerKillingFit(kills), LightPool(2))
    assert len(list(kills.iterdir())) == sum(number % 3 for number in range(n_trials))
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "uninterrupted", spec))
