"""Studies that are killed: F1 of real fits in one process with MLflow's store, F2 of planted fits in a pool of two."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from chaos_rows import Row, Run, none_of

from kills import Kills, acknowledge, allow_attempts, in_fork, kill_until_it_ends
from resumed import Faults, Trials, faults, trials_of

N_TRIALS = 12
"""Of the study `tiny` of tests/small_project.py."""
POOL_TRIALS = 24


def one_process(run: Run) -> list[Row]:
    """F1: SIGKILL at random moments of a study of the tiny random encoder, its trials mirrored to MLflow."""
    import killed_study

    killed_study.import_once()
    project, whole = run.root / "project", run.root / "whole"
    in_fork(lambda: killed_study.prepare_project(project))
    shutil.copytree(project, whole)
    in_fork(lambda: killed_study.run(whole))
    expected = trials_of(whole, "tiny")
    kills = Kills(run.rng, 2.0, coordinators=run.n_kills, on_kill=run.advance)
    while kills.are_left:
        root = run.root / f"killed-{kills.n_studies}"
        shutil.copytree(project, root)
        kill_until_it_ends(lambda root=root: _acknowledged_study(root, run.n_kills), root, kills)
    roots = [run.root / f"killed-{number}" for number in range(kills.n_studies)]
    done = (
        f"{kills.n_coordinators} SIGKILLs over studies of {N_TRIALS} real fits, {len(roots)} in all, MLflow's store on"
    )
    return [*_fault_rows(done, roots, "tiny", expected), *_mlflow_rows(done, roots, whole)]


def _acknowledged_study(root: Path, n_kills: int) -> None:
    """Run the stage with a hook that acknowledges each trial after its commit."""
    import killed_study

    from finetune_alf.running import study as stage

    allow_attempts(n_kills + 1)
    run_study = stage.run_study

    def acknowledging(*args: Any, on_trial: Any, **kwargs: Any) -> Any:
        def both(record: Any) -> None:
            acknowledge(root, record)
            on_trial(record)

        return run_study(*args, on_trial=both, **kwargs)

    stage.run_study = acknowledging
    killed_study.run(root)


def pool_of_two(run: Run) -> list[Row]:
    """F2: SIGKILL of coordinators and workers of studies of planted fits in a pool of two."""
    from fake_studies import outcome_of, study
    from killing import kill_studies, spec_of

    spec = spec_of(POOL_TRIALS, "random")
    expected = outcome_of(study(run.root / "whole", spec))
    kills = Kills(run.rng, 1.0, run.n_kills, 2 * run.n_kills, run.advance)
    kill_studies(run.root, spec, kills, n_workers=2, epoch_s=0.03)
    roots = [run.root / str(number) for number in range(kills.n_studies)]
    done = (
        f"{kills.n_coordinators} SIGKILLs of coordinators and {kills.n_workers} of workers over studies of "
        f"{POOL_TRIALS} planted fits, {len(roots)} in all, two workers"
    )
    survivors = none_of(done, kills.survivors, kills.n_orphaned, "workers alive 2 s after their coordinator")
    return [*_fault_rows(done, roots, "small", expected), survivors]


WHAT = {
    "lost": "acknowledged trials lost or changed",
    "unfinished": "trials left running in the database",
    "repeated": "trial numbers twice or missing",
    "different": "trials other than in the study that was not killed",
}


def _fault_rows(done: str, roots: list[Path], name: str, expected: Trials) -> list[Row]:
    found = [faults(root, name, expected) for root in roots]
    totals = [sum(counts) for counts in zip(*map(astuple, found), strict=True)]
    kinds = [field.name for field in fields(Faults)]
    return [
        none_of(done, total, len(expected) * len(roots), WHAT[kind]) for kind, total in zip(kinds, totals, strict=True)
    ]


@dataclass(frozen=True)
class StoredRuns:
    """The runs of a project's MLflow store: how often each key and each point is there, and how many are left running.

    A point is the key of its run, the name of its metric and its step.
    """

    keys: Counter[str]
    points: Counter[tuple[str, str, int]]
    n_running: int


def _mlflow_rows(done: str, roots: list[Path], whole: Path) -> list[Row]:
    """Compare runs and points in MLflow's stores with those of the study that was not killed, each by its key."""
    expected, found = _stored_runs(whole), [_stored_runs(root) for root in roots]
    n_runs, n_points = expected.keys.total() * len(roots), expected.points.total() * len(roots)
    other_runs = sum(_n_other(runs.keys, expected.keys) for runs in found)
    other_points = sum(_n_other(runs.points, expected.points) for runs in found)
    return [
        none_of(done, other_runs, n_runs, "runs missing in MLflow, or twice"),
        none_of(done, sum(runs.n_running for runs in found), n_runs, "runs in MLflow left running"),
        none_of(done, other_points, n_points, "points in MLflow lost or doubled"),
    ]


def _n_other(found: Counter[Any], expected: Counter[Any]) -> int:
    """Return how many are missing or too many; one of each does not make up for the other."""
    return (found - expected).total() + (expected - found).total()


def _stored_runs(root: Path) -> StoredRuns:
    runs = "from runs join tags using (run_uuid) where tags.key = 'alf.key' and lifecycle_stage = 'active'"
    points = runs.replace("where", "join metrics using (run_uuid) where")
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection:
        states = connection.execute(f"select tags.value, status {runs}").fetchall()
        found = connection.execute(f"select tags.value, metrics.key, metrics.step {points}").fetchall()
    return StoredRuns(Counter(key for key, _ in states), Counter(found), sum(s != "FINISHED" for _, s in states))
