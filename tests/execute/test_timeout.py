"""The alarm of jobs in this process: it rings once, in the job, and leaves the caller's own alarm as it was."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from finetune_alf.execute import SerialExecutor
from finetune_alf.execute.timeout import AGAIN_S, JobTimeout, JobTimer


def test_an_exception_handler_in_the_job_does_not_catch_it() -> None:
    def work(job: int, report: object) -> int:
        with contextlib.suppress(Exception):
            time.sleep(60)
        return job

    (outcome,) = SerialExecutor(job_timeout_s=0.1).run(iter([1]), work)
    assert outcome.failure == "it ran longer than job_timeout_s, 0.1 s"


def test_the_alarm_rings_again_where_python_dropped_the_exception() -> None:
    def work(job: int, report: object) -> None:
        with contextlib.suppress(BaseException):  # as Python does in finalizers
            time.sleep(60)
        time.sleep(60)

    (outcome,) = SerialExecutor(job_timeout_s=0.1).run(iter([1]), work)
    assert outcome.failure == "it ran longer than job_timeout_s, 0.1 s"
    assert signal.getitimer(signal.ITIMER_REAL)[1] != AGAIN_S


def test_the_alarm_of_the_caller_goes_on_afterwards() -> None:
    handler, (delay, interval) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 50, interval)
    try:
        with JobTimer(20).running():
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 20
        assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] <= 50
        assert signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.setitimer(signal.ITIMER_REAL, delay, interval)


def test_an_alarm_of_the_caller_that_rings_sooner_is_left_alone() -> None:
    delay, interval = signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 10, interval)
    try:
        with JobTimer(20).running():
            assert signal.getitimer(signal.ITIMER_REAL)[0] <= 10
    finally:
        signal.setitimer(signal.ITIMER_REAL, delay, interval)


@pytest.mark.parametrize("seconds", [40 * 86_400.0, 1e12, 1e300])
def test_a_time_limit_may_be_as_long_as_one_likes(seconds: float) -> None:
    delay, interval = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        with JobTimer(seconds).running():
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, delay, interval)


def test_the_time_of_a_job_goes_on_where_it_was_paused() -> None:
    timer = JobTimer(0.3)
    with timer.running():
        time.sleep(0.05)
        with timer.paused():
            time.sleep(0.4)
    with pytest.raises(JobTimeout), timer.running():
        time.sleep(60)


def test_outside_the_main_thread_there_is_no_limit() -> None:
    failures: list[str | None] = []

    def run() -> None:
        outcomes = SerialExecutor(job_timeout_s=0.01).run(iter([1]), lambda job, report: time.sleep(0.05))
        failures.extend(outcome.failure for outcome in outcomes)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failures == [None]


def test_a_job_that_hangs_in_c_code_ends_the_process_with_a_traceback() -> None:
    command = [sys.executable, "-c", "import executor_works; executor_works.hang_alone()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "in hang_in_c" in done.stderr
