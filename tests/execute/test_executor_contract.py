"""The contract of executors, tested on all of them."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import executor_works as works
import pytest

from finetune_alf.execute import (
    NOT_READY,
    Callbacks,
    Executor,
    FusedExecutor,
    Jobs,
    Outcome,
    PoolExecutor,
    SerialExecutor,
)
from finetune_alf.execute.dispatch import N_AHEAD
from finetune_alf.execute.jobs import NO_CALLBACKS


class AlwaysFused(FusedExecutor):
    """The fused executor, with work that it can fuse."""

    def run(self, jobs: Any, work: Any, callbacks: Any = NO_CALLBACKS) -> Any:
        return super().run(jobs, works.FusedWorks(work), callbacks)


def on_ray(n_workers: int, job_timeout_s: float | None = None) -> Executor:
    from finetune_alf.execute.ray import RayExecutor

    return RayExecutor(n_workers, job_timeout_s)


EXECUTORS: dict[str, Callable[..., Executor]] = {
    "serial": SerialExecutor,
    "pool of one": partial(PoolExecutor, 1),
    "pool of two": partial(PoolExecutor, 2),
    "fused": partial(AlwaysFused, 3),
    "fused, one at a time": partial(FusedExecutor, 3),
    "ray": partial(on_ray, 2),
}
EACH = [pytest.param(name, marks=pytest.mark.long) if name == "ray" else name for name in EXECUTORS]
"""A worker of Ray takes seconds to start: `test_ray_executor.py` runs the contract's main points in `make test`."""


@pytest.fixture(params=EACH)
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    return EXECUTORS[request.param]()


@pytest.fixture(params=EACH)
def limited(request: pytest.FixtureRequest) -> Executor:
    """An executor whose jobs may take half a second."""
    if request.param == "ray":
        request.getfixturevalue("ray_here")
    return EXECUTORS[request.param](job_timeout_s=0.5)


def test_every_job_gets_one_outcome(executor: Executor) -> None:
    outcomes = list(executor.run(iter(range(6)), works.square))
    assert sorted(outcomes, key=lambda outcome: outcome.job) == [Outcome(n, n * n, None) for n in range(6)]


def test_no_jobs_give_no_outcomes(executor: Executor) -> None:
    assert list(executor.run(iter(()), works.square)) == []


def test_no_more_jobs_are_taken_than_workers_do_and_a_few_ahead_of_them(executor: Executor) -> None:
    n_taken_jobs, begun = 0, list[int]()
    n_ahead = 0 if isinstance(executor, SerialExecutor | FusedExecutor) else N_AHEAD

    def jobs() -> Iterator[int]:
        nonlocal n_taken_jobs
        for job in range(5):
            n_taken_jobs += 1
            yield job

    n_outcomes, n_at_once = 0, executor.n_workers * executor.n_fused
    run = executor.run(jobs(), works.square, Callbacks(on_begin=begun.append))
    assert n_taken_jobs == 0
    for outcome in run:
        n_outcomes += 1
        assert outcome.job in begun
        assert n_taken_jobs <= n_outcomes - 1 + n_at_once + n_ahead
        assert len(begun) <= n_outcomes - 1 + n_at_once + min(n_ahead, 1)
    assert (n_outcomes, n_taken_jobs) == (5, 5)
    assert sorted(begun) == list(range(5))


def test_a_job_that_is_not_ready_is_asked_for_again_after_an_outcome(executor: Executor) -> None:
    received: list[int] = []

    def jobs() -> Jobs[int]:
        yield 0
        while 0 not in received:
            yield NOT_READY
        yield 1
        yield 2

    for outcome in executor.run(jobs(), works.square):
        assert outcome.job not in received
        received.append(outcome.job)
    assert received[0] == 0
    assert sorted(received) == [0, 1, 2]


def test_a_run_ends_when_no_job_is_ready_and_another_run_goes_on_with_the_same_source(executor: Executor) -> None:
    is_ready = False

    def jobs() -> Jobs[int]:
        yield 0
        while not is_ready:
            yield NOT_READY
        yield 1

    source = jobs()
    assert [outcome.job for outcome in executor.run(source, works.square)] == [0]
    is_ready = True
    assert [outcome.job for outcome in executor.run(source, works.square)] == [1]


def test_an_exception_in_the_work_is_a_failed_outcome_and_the_next_job_runs(executor: Executor) -> None:
    outcomes = {outcome.job: outcome for outcome in executor.run(iter(range(4)), works.fail_on_odd)}
    assert [outcomes[job].result for job in range(4)] == [0, None, 2, None]
    assert outcomes[3].failure == "ValueError: 3 is odd"
    assert not outcomes[3].worker_died


def test_the_packages_own_errors_are_reported_without_their_type(executor: Executor) -> None:
    (outcome,) = executor.run(iter([0]), works.refuse)
    assert outcome.failure == "sample: must be there, but got nothing. Draw it."


def test_reports_come_in_order_with_their_job(executor: Executor) -> None:
    reports: list[tuple[int, Any]] = []

    def on_report(job: int, content: Any) -> bool:
        reports.append((job, content))
        return True

    list(executor.run(iter([2, 3]), works.count_up, Callbacks(on_report=on_report)))
    assert sorted(reports) == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def test_a_report_that_returns_false_stops_its_job_and_no_other(executor: Executor) -> None:
    outcomes = executor.run(
        iter([5, 6]), works.count_up, Callbacks(on_report=lambda job, content: job == 6 or content < 1)
    )
    assert {outcome.job: outcome.result for outcome in outcomes} == {5: 2, 6: 6}


def test_jobs_continue_without_a_callback(executor: Executor) -> None:
    (outcome,) = executor.run(iter([4]), works.count_up)
    assert outcome.result == 4


def test_an_exception_in_the_callback_reaches_the_caller(executor: Executor) -> None:
    def on_report(job: int, content: Any) -> bool:
        raise LookupError("the callback's own")

    with pytest.raises(LookupError, match="the callback's own"):
        list(executor.run(iter([3]), works.count_up, Callbacks(on_report=on_report)))


def test_an_exception_in_proposing_a_job_reaches_the_caller(executor: Executor) -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(executor.run(jobs(), works.square))


def test_an_interrupt_while_proposing_reaches_the_caller(executor: Executor) -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(executor.run(jobs(), works.square))


def test_an_executor_can_run_twice(executor: Executor) -> None:
    for _ in range(2):
        assert [outcome.result for outcome in executor.run(iter([3]), works.square)] == [9]


def test_alone_jobs_run_one_at_a_time(executor: Executor) -> None:
    alone = executor.alone()
    assert alone.n_workers == alone.n_fused == 1
    assert alone.alone() is alone
    assert [outcome.result for outcome in alone.run(iter([2, 3]), works.square)] == [4, 9]


def test_a_job_over_its_time_limit_fails_and_the_next_job_runs(limited: Executor) -> None:
    outcomes = {outcome.job: outcome for outcome in limited.run(iter([0, 1]), works.hang)}
    assert outcomes[0] == Outcome(0, None, "it ran longer than job_timeout_s, 0.5 s")
    assert outcomes[1] == Outcome(1, 1, None)


@pytest.mark.parametrize("seconds", [40 * 86_400.0, 1e300])
@pytest.mark.parametrize("name", EACH)
def test_a_time_limit_may_be_as_long_as_one_likes(name: str, seconds: float, request: pytest.FixtureRequest) -> None:
    if name == "ray":
        request.getfixturevalue("ray_here")
    (outcome,) = EXECUTORS[name](job_timeout_s=seconds).run(iter([3]), works.square)
    assert outcome == Outcome(3, 9, None)


def test_the_time_of_the_callback_is_not_the_jobs(limited: Executor) -> None:
    def on_report(job: int, content: int) -> bool:
        time.sleep(0.6 if content == 0 else 0.0)
        return True

    (outcome,) = limited.run(iter([2]), works.count_up, Callbacks(on_report=on_report))
    assert outcome.result == 2


def test_the_time_between_two_jobs_is_no_jobs_time(limited: Executor) -> None:
    def jobs() -> Iterator[int]:
        yield 1
        time.sleep(0.6)
        yield 2

    assert sorted(outcome.result for outcome in limited.run(jobs(), works.square)) == [1, 4]
