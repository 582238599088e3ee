"""The pool beyond the contract: a dead worker costs one job its attempt, and no worker process is left."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import executor_works as works
import pytest

from finetune_alf.errors import WorkerError
from finetune_alf.execute import NOT_READY, Callbacks, Jobs, Outcome, PoolExecutor


@pytest.mark.parametrize(("by_signal", "exit_code"), [(True, -9), (False, 3)])
def test_a_dead_worker_is_the_outcome_of_its_job_and_the_next_job_gets_a_new_one(
    tmp_path: Path, by_signal: bool, exit_code: int
) -> None:
    work = works.DiesAtFirst(tmp_path, n_deaths=1, by_signal=by_signal)
    died, done = PoolExecutor(1).run(iter([7, 7]), work)
    assert died == Outcome(7, None, f"its worker died (exit code {exit_code})", worker_died=True)
    assert done == Outcome(7, 7, None)


def test_a_worker_that_hangs_in_c_code_is_killed() -> None:
    hung, done = PoolExecutor(1, job_timeout_s=0.2).run(iter([0, 1]), works.hang_in_c)
    assert hung == Outcome(0, None, "it ran longer than job_timeout_s, 0.2 s")
    assert done == Outcome(1, 1, None)
    assert not multiprocessing.active_children()


def test_the_death_of_an_idle_worker_costs_no_job() -> None:
    received, begun = list[Outcome[int, int]](), list[int]()

    def jobs() -> Jobs[int]:
        yield 1
        while not received:
            yield NOT_READY
        yield 2

    run = PoolExecutor(1).run(jobs(), works.process_of, Callbacks(on_begin=begun.append))
    received.append(next(run))
    pid = received[0].result
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    second = next(run)
    run.close()
    assert second.failure is None
    assert second.result != pid
    assert begun == [1, 2]


def test_a_late_report_of_an_attempt_that_is_over_is_dropped_and_answered_with_a_stop() -> None:
    heard: list[tuple[int, Any]] = []

    def on_report(job: int, content: Any) -> bool:
        heard.append((job, content))
        return True

    answers = [
        outcome.result
        for outcome in PoolExecutor(1).run(iter([1, 2]), works.report_late, Callbacks(on_report=on_report))
    ]
    assert answers == [[True], [False, True]]
    assert heard == [(1, 1), (2, 2)]


def test_a_worker_runs_many_jobs() -> None:
    assert len({outcome.result for outcome in PoolExecutor(1).run(iter(range(4)), works.process_of)}) == 1


def test_a_worker_whose_job_failed_is_replaced() -> None:
    failed, second, third = PoolExecutor(1).run(iter([0, 1, 2]), works.fail_or_process_of)
    assert failed.failure != f"RuntimeError: process {second.result}"
    assert second.result == third.result


def test_work_that_cannot_be_loaded_is_reported_once_with_its_cause() -> None:
    with pytest.raises(WorkerError, match="cannot load its work: ImportError: no module of that name"):
        list(PoolExecutor(2).run(iter(range(9)), works.CannotLoad()))
    assert not multiprocessing.active_children()


def test_workers_that_die_at_the_start_end_the_run() -> None:
    with pytest.raises(WorkerError, match="3 workers in a row died before they began a job"):
        list(PoolExecutor(2).run(iter(range(9)), works.DiesLoading()))
    assert not multiprocessing.active_children()


def test_a_result_that_cannot_be_pickled_fails_its_job() -> None:
    (outcome,) = PoolExecutor(1).run(iter([1]), works.return_lambda)
    assert outcome.failure is not None
    assert "cannot be pickled" in outcome.failure


def test_closing_a_run_early_leaves_no_worker() -> None:
    run = PoolExecutor(2).run(iter([0.0, 60.0]), works.sleep)
    assert next(run).result == 0.0
    run.close()
    assert not multiprocessing.active_children()


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        PoolExecutor(0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_die_with_the_coordinator(sent: signal.Signals) -> None:
    command = [sys.executable, "-c", "import executor_works; executor_works.coordinate()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        start_new_session=True,
    ) as coordinator:
        assert coordinator.stdout is not None
        workers = [int(coordinator.stdout.readline()) for _ in range(2)]
        assert all(_is_alive(pid) for pid in workers)
        if sent == signal.SIGINT:
            os.killpg(coordinator.pid, sent)  # as a terminal does
        else:
            coordinator.send_signal(sent)
        coordinator.wait(10)
    deadline = time.monotonic() + 30
    while any(_is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its coordinator"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
