"""Jobs with a ledger: each runs once; what fails or kills the process keeps no other from its result."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from finetune_alf.compute import Environment
from finetune_alf.errors import PartialError
from finetune_alf.execute import MAX_ATTEMPTS, SerialExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.job_attempts import JobAttempts
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.jobs.run_jobs import run_jobs
from finetune_alf.train.result import FitResult
from tiny import tiny_recipe, tiny_spec

ENVIRONMENT = Environment(device="cpu", precision="fp32", n_threads=1, git_commit=None, versions={})
JOBS = [FitJob(f"cell-{seed}", tiny_recipe(), tiny_spec(), "5a" * 32, seed, "fp32") for seed in range(5)]


class PlannedFits:
    """Work whose score is the seed; it fails at some keys, and keeps the keys of all jobs that it was given."""

    def __init__(self, failing: Iterable[str] = ()) -> None:
        self.failing, self.keys = set(failing), []

    def __call__(self, job, report):
        self.keys.append(job.key)
        if job.key in self.failing:
            raise MemoryError("no room")
        return FitResult.model_construct(
            epochs=(),
            kept_epoch=None,
            score=float(job.seed),
            accuracy=None,
            balanced_accuracy=None,
            loss=0.5,
            predictions=(),
            stopped="epochs",
            seconds=0.0,
            n_steps=0,
            n_trainable_parameters=0,
            started_ms=0,
        )


def run(path, work):
    """Run the jobs as a new start of the program does; return the scores by the jobs' keys."""
    results = run_jobs(JOBS, SerialExecutor(), work, Ledger(path), ENVIRONMENT, lambda job, result: None)
    return {key: result.score for key, result in results.items()}


def die_in_attempts(path, *jobs):
    """Leave what a killed process leaves: attempts that began, and nothing after them."""
    attempts = JobAttempts(Ledger(path))
    for job in jobs:
        attempts.begin(job)


def test_finished_jobs_do_not_run_again_and_failed_ones_do(tmp_path):
    path, work = tmp_path / "jobs.jsonl", PlannedFits(["cell-1", "cell-3"])
    with pytest.raises(PartialError, match=r"2 of 5 fits failed.*cell-1: MemoryError: no room; cell-3: Mem"):
        run(path, work)
    again = PlannedFits()
    assert run(path, again) == {f"cell-{seed}": float(seed) for seed in range(5)}
    assert again.keys == ["cell-1", "cell-3"]
    assert [file.name for file in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_a_job_that_got_the_process_killed_runs_after_the_others(tmp_path):
    path, work = tmp_path / "jobs.jsonl", PlannedFits()
    die_in_attempts(path, JOBS[0])
    run(path, work)
    assert work.keys == ["cell-1", "cell-2", "cell-3", "cell-4", "cell-0"]


def test_a_job_that_gets_the_process_killed_at_every_start_is_given_up_once_and_then_tried_again(tmp_path):
    path, work = tmp_path / "jobs.jsonl", PlannedFits()
    die_in_attempts(path, *[JOBS[2]] * MAX_ATTEMPTS)
    with pytest.raises(PartialError, match=r"1 of 5 fits failed.*cell-2: its process died in 3 attempts"):
        run(path, work)
    assert work.keys == ["cell-0", "cell-1", "cell-3", "cell-4"]
    assert run(path, work)["cell-2"] == 2.0


def test_a_stage_that_is_interrupted_counts_no_attempt(tmp_path):
    path = tmp_path / "jobs.jsonl"

    def stop(job, report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, stop)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_of_attempts_is_ignored(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.with_suffix(".attempts.json").write_text('{"')
    assert len(run(path, PlannedFits())) == 5


def test_equal_jobs_under_several_keys_run_once_and_all_have_the_result(tmp_path):
    path, work, seen = tmp_path / "jobs.jsonl", PlannedFits(), []
    jobs = [JOBS[0], JOBS[1], replace(JOBS[0], key="again")]
    results = run_jobs(jobs, SerialExecutor(), work, Ledger(path), ENVIRONMENT, lambda job, _: seen.append(job.key))
    assert work.keys == ["cell-0", "cell-1"]
    assert {key: result.score for key, result in results.items()} == {"cell-0": 0.0, "cell-1": 1.0, "again": 0.0}
    assert seen == ["cell-0", "again", "cell-1"]
    assert len(path.read_text().strip().split("\n")) == 2


def test_equal_jobs_that_fail_are_named_once(tmp_path):
    jobs = [JOBS[0], replace(JOBS[0], key="again"), JOBS[1]]
    with pytest.raises(PartialError, match="1 of 2 fits failed"):
        run_jobs(
            jobs,
            SerialExecutor(),
            PlannedFits(["cell-0"]),
            Ledger(tmp_path / "jobs.jsonl"),
            ENVIRONMENT,
            lambda job, result: None,
        )
