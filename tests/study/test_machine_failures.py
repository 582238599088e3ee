"""A failure of the machine is not the search's answer: its trial is pending, a bounded number of times."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
import pytest
from fake_fits import SelfKillingFit
from fake_studies import FakeFit, LightPool, outcome_of, study, study_spec

from finetune_alf.errors import PartialError
from finetune_alf.execute import MAX_ATTEMPTS, SerialExecutor
from finetune_alf.jobs.job import FitJob
from finetune_alf.study.coordinator import StudyResult
from finetune_alf.study.identity import study_databases
from finetune_alf.study.records import read_trials
from finetune_alf.train.result import EpochMetrics, FitResult

Report = Callable[[EpochMetrics], bool]

SPEC = study_spec(n_trials=14, enqueue=["baseline"])
SHORT = study_spec(n_trials=8)


def failing(*numbers: int) -> Callable[[FitJob, Report], FitResult]:
    """Return a FakeFit that runs out of memory in these trials."""
    return failing_with(dict.fromkeys(numbers, MemoryError("no room")))


def failing_with(errors: Mapping[int, Exception]) -> Callable[[FitJob, Report], FitResult]:
    """Return a FakeFit that raises these errors, by the numbers of the trials."""

    def fit(job: FitJob, report: Report) -> FitResult:
        error = errors.get(int(job.key.rpartition("/")[2]))
        if error is not None:
            raise error
        return FakeFit()(job, report)

    return fit


def states(root: Path) -> list[str]:
    (database,) = study_databases(root / "studies", "small")
    return [trial.state.name for trial in optuna.load_study(study_name="small", storage=f"sqlite:///{database}").trials]


def test_out_of_memory_in_two_starts_costs_no_trial_once_the_cause_is_gone(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(PartialError, match=r"studies\.small: stopped after 6 .*6 of them: MemoryError: no room"):
            study(tmp_path, SPEC, failing(*range(14)))
    assert states(tmp_path) == ["RUNNING"] * 6
    result = study(tmp_path, SPEC)
    assert [(record.number, record.state) for record in result.records] == [(n, "complete") for n in range(14)]
    assert result.records[0].rates["layer.0"] == 5e-5  # the baseline


def test_trials_that_the_machine_failed_are_pending_and_the_others_go_on(tmp_path: Path) -> None:
    errors = {3: OSError("disk"), 6: RuntimeError("CUDA error: device-side assert triggered"), 7: OSError("disk")}
    with pytest.raises(PartialError) as raised:
        study(tmp_path, SHORT, failing_with(errors))
    assert "3 of 8 trials are pending: trials 3, 7: " in str(raised.value)
    assert "trials 3, 7: OSError: disk; trial 6: RuntimeError: CUDA error: device-side assert" in str(raised.value)
    assert "run the same command again" in str(raised.value)
    assert [n for n, state in enumerate(states(tmp_path)) if state == "RUNNING"] == [3, 6, 7]
    assert not (tmp_path / "results").exists()
    fitted: list[str] = []

    def fit(job: FitJob, report: Report) -> FitResult:
        fitted.append(job.key.rpartition("/")[2])
        return FakeFit()(job, report)

    result = study(tmp_path, SHORT, fit)
    assert fitted == ["3", "6", "7"]
    assert outcome_of(result) == outcome_of(study(tmp_path / "without", SHORT))  # all are random: TPE has not begun


def test_a_trial_is_given_up_after_its_last_attempt_with_the_reason(tmp_path: Path) -> None:
    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(PartialError, match="1 of 8 trials are pending"):
            study(tmp_path, SHORT, failing(0))
    result = study(tmp_path, SHORT, failing(0))
    assert (result.records[0].state, result.records[0].score) == ("failed", None)
    assert result.records[0].reason == "MemoryError: no room, in the last of 3 attempts"
    assert {record.state for record in result.records[1:]} == {"complete"}


def test_a_fit_that_hangs_costs_one_attempt_a_start(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        while job.key.endswith("/1"):
            time.sleep(60)
        return FakeFit()(job, report)

    def start() -> StudyResult:
        return study(tmp_path, study_spec(n_trials=3), fit, SerialExecutor(job_timeout_s=0.5))

    for _ in range(MAX_ATTEMPTS - 1):
        with pytest.raises(PartialError, match=r"1 of 3 .*: trial 1: it ran longer than job_timeout_s, 0.5 s"):
            start()
    assert [record.state for record in start().records] == ["complete", "failed", "complete"]


def test_a_cause_that_fails_every_trial_makes_none_of_them_failed(tmp_path: Path) -> None:
    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(PartialError, match="stopped after 6"):
            study(tmp_path, SPEC, failing(*range(14)))
    assert states(tmp_path) == ["RUNNING"] * 6


def test_an_interrupt_counts_as_no_attempt(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/4"):
            raise KeyboardInterrupt
        return FakeFit()(job, report)

    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path / "a", SHORT, fit)
    assert outcome_of(study(tmp_path / "a", SHORT)) == outcome_of(study(tmp_path / "b", SHORT))


def test_a_pool_gives_up_a_trial_that_kills_its_workers_in_one_start(tmp_path: Path) -> None:
    spec = study_spec(n_trials=5, sampler="random")
    result = study(tmp_path, spec, SelfKillingFit(trial=3), LightPool(2))
    assert result.records[3].reason == "its worker died (exit code -9), in the last of 3 attempts"
    assert [record.state for record in result.records] == ["complete"] * 3 + ["failed", "complete"]


@pytest.mark.long
def test_one_process_gets_past_a_trial_that_kills_it_at_every_start(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", "import killing; killing.count_starts()", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == MAX_ATTEMPTS + 1
    records = read_trials(tmp_path / "results/study/small/trials.jsonl")
    assert [record.state for record in records] == ["complete"] * 3 + ["failed"] + ["complete"] * 2
    assert records[3].reason == "its process died, in the last of 3 attempts"
