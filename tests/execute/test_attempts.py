"""Attempts at jobs: counted in a log, repeated where a worker died, bounded, withdrawn when the run is interrupted."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import executor_works as works
import pytest

from finetune_alf.errors import PartialError
from finetune_alf.execute import (
    MAX_ATTEMPTS,
    NOT_READY,
    FusedExecutor,
    Jobs,
    PoolExecutor,
    SerialExecutor,
    run_attempts,
)


class CountedAttempts:
    """A log in memory."""

    def __init__(self, **counts: int) -> None:
        self.counts = Counter({int(job.removeprefix("job")): n for job, n in counts.items()})

    def n_attempts(self, job: int) -> int:
        return self.counts[job]

    def begin(self, job: int) -> None:
        self.counts[job] += 1

    def withdraw(self, job: int) -> None:
        self.counts[job] -= 1


def test_an_attempt_is_in_the_log_before_it_begins() -> None:
    log = CountedAttempts()

    def work(job: int, report: Any) -> int:
        return log.counts[job]

    assert [outcome.result for outcome in run_attempts(SerialExecutor(), iter([4, 5]), work, log)] == [1, 1]


def test_an_exception_is_not_attempted_again_in_the_same_run() -> None:
    log = CountedAttempts()
    outcomes = list(run_attempts(SerialExecutor(), iter(range(4)), works.fail_on_odd, log))
    assert [(outcome.job, outcome.failure) for outcome in outcomes] == [
        (0, None),
        (1, "ValueError: 1 is odd"),
        (2, None),
        (3, "ValueError: 3 is odd"),
    ]
    assert log.counts == {0: 1, 1: 1, 2: 1, 3: 1}


def test_a_job_whose_worker_died_is_attempted_again_after_the_others(tmp_path: Path) -> None:
    log, work = CountedAttempts(), works.DiesAtFirst(tmp_path, n_deaths=2, by_signal=True, jobs=(7,))
    outcomes = list(run_attempts(PoolExecutor(1), iter([7, 8, 9]), work, log))
    assert [(outcome.job, outcome.result) for outcome in outcomes] == [(8, 8), (9, 9), (7, 7)]
    assert log.counts == {7: 3, 8: 1, 9: 1}


def test_a_job_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    log, work = CountedAttempts(job7=1), works.DiesAtFirst(tmp_path, n_deaths=99, by_signal=True, jobs=(7,))
    outcomes = list(run_attempts(PoolExecutor(2), iter([7, 8]), work, log))
    assert [(outcome.job, outcome.failure) for outcome in outcomes] == [
        (8, None),
        (7, "its worker died (exit code -9)"),
    ]
    assert log.counts == {7: MAX_ATTEMPTS, 8: 1}
    assert len(list(tmp_path.glob("7-*"))) == MAX_ATTEMPTS - 1  # the attempt of an earlier start counts


def test_the_last_attempt_is_made_alone_and_last() -> None:
    log, work = CountedAttempts(job5=2), works.FusedWorks(works.square)
    groups: list[list[int]] = []

    class Recorded(works.FusedWorks):
        def run_fused(self, jobs: list[Any], report: Any) -> Iterator[Any]:
            groups.append(list(jobs))
            yield from super().run_fused(jobs, report)

    outcomes = list(run_attempts(FusedExecutor(2), iter([4, 5, 6, 7]), Recorded(work.work), log))
    assert groups == [[4, 6], [7]]
    assert [outcome.job for outcome in outcomes] == [4, 6, 7, 5]


@pytest.mark.parametrize("n_deaths", [1, 99])
def test_a_job_waits_for_one_whose_worker_died_until_its_last_attempt(tmp_path: Path, n_deaths: int) -> None:
    work = works.DiesAtFirst(tmp_path, n_deaths=n_deaths, by_signal=True, jobs=(7,))
    received: list[int] = []

    def jobs() -> Jobs[int]:
        yield 7
        yield 8
        while 7 not in received:
            yield NOT_READY
        yield 9

    for outcome in run_attempts(PoolExecutor(2), jobs(), work, CountedAttempts()):
        assert outcome.job not in received
        received.append(outcome.job)
    assert received == [8, 7, 9]
    assert len(list(tmp_path.glob("7-*"))) == min(n_deaths + 1, MAX_ATTEMPTS)


def test_a_job_that_waits_for_nothing_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not ready"):
        list(run_attempts(SerialExecutor(), iter([1, NOT_READY]), works.square, CountedAttempts()))


def test_a_source_may_end_after_it_was_not_ready() -> None:
    outcomes = run_attempts(PoolExecutor(2), iter([1, NOT_READY]), works.square, CountedAttempts())
    assert [outcome.result for outcome in outcomes] == [1]


def test_in_one_process_jobs_keep_their_order() -> None:
    log = CountedAttempts(job5=2)
    outcomes = run_attempts(SerialExecutor(), iter([4, 5, 6]), works.square, log)
    assert [outcome.job for outcome in outcomes] == [4, 5, 6]


def test_an_interrupt_withdraws_the_attempts_that_were_under_way() -> None:
    log = CountedAttempts(job2=1)

    def work(job: int, report: Any) -> int:
        if job == 2:
            raise KeyboardInterrupt
        return job

    with pytest.raises(KeyboardInterrupt):
        list(run_attempts(SerialExecutor(), iter([1, 2, 3]), work, log))
    assert log.counts == {1: 1, 2: 1}


def test_a_caller_that_stops_withdraws_the_attempts_that_were_under_way() -> None:
    log = CountedAttempts()
    run = run_attempts(PoolExecutor(2), iter([0.0, 60.0]), works.sleep, log)
    assert next(run).result == 0.0
    run.close()
    assert log.counts == {0: 1, 60: 0}


def test_too_many_failures_in_a_row_stop_the_run_and_count_for_no_job() -> None:
    log, n_done, most = CountedAttempts(), 3, 5

    def work(job: int, report: Any) -> int:
        if job >= n_done:
            raise MemoryError("no room")
        return job

    with pytest.raises(PartialError, match=r"stopped after 6 .*The reason of 6 of them: MemoryError: no room"):
        list(run_attempts(SerialExecutor(), iter(range(99)), work, log, max_failures_in_a_row=most))
    assert len(log.counts) == n_done + most + 1
    assert sum(log.counts.values()) == n_done


def test_a_job_that_is_given_up_keeps_its_attempts_when_the_run_stops() -> None:
    log = CountedAttempts(job1=MAX_ATTEMPTS - 1)
    with pytest.raises(PartialError, match="stopped after 2"):
        list(run_attempts(SerialExecutor(), iter([1, 3]), works.fail_on_odd, log, max_failures_in_a_row=1))
    assert log.counts == {1: MAX_ATTEMPTS, 3: 0}


def test_failures_with_a_result_between_them_are_not_in_a_row() -> None:
    jobs = iter([1, 3, 4, 5, 7, 8])
    outcomes = list(run_attempts(SerialExecutor(), jobs, works.fail_on_odd, CountedAttempts(), max_failures_in_a_row=2))
    assert len(outcomes) == 6
