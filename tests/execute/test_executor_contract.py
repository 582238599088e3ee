"""What every executor promises, checked on all of them."""

from collections.abc import Iterator
from typing import Any

import executor_works as works
import pytest

from finetune_alf.execute import Executor, FusedExecutor, Outcome, PoolExecutor, SerialExecutor


class Together(FusedExecutor):
    """The fused executor, given what it can do in one go."""

    def run(self, jobs: Any, work: Any, on_message: Any = None) -> Any:
        return super().run(jobs, works.OfSeveral(work), on_message)


@pytest.fixture(params=["serial", "pool of one", "pool of two", "fused", "fused, one by one"])
def executor(request: pytest.FixtureRequest) -> Executor:
    made: dict[str, Executor] = {
        "serial": SerialExecutor(),
        "pool of one": PoolExecutor(1),
        "pool of two": PoolExecutor(2),
        "fused": Together(3),
        "fused, one by one": FusedExecutor(3),
    }
    return made[request.param]


def test_every_job_gets_one_outcome(executor: Executor) -> None:
    outcomes = list(executor.run(iter(range(6)), works.square))
    assert sorted(outcomes, key=lambda outcome: outcome.job) == [Outcome(n, n * n, None, 1) for n in range(6)]


def test_no_jobs_give_no_outcomes(executor: Executor) -> None:
    assert list(executor.run(iter(()), works.square)) == []


def test_a_job_is_pulled_only_when_a_worker_is_free_and_an_outcome_is_asked_for(executor: Executor) -> None:
    n_pulled = 0

    def jobs() -> Iterator[int]:
        nonlocal n_pulled
        for job in range(5):
            n_pulled += 1
            yield job

    n_taken = 0
    run = executor.run(jobs(), works.square)
    assert n_pulled == 0
    for _ in run:
        n_taken += 1
        assert n_pulled <= n_taken - 1 + getattr(executor, "n_fused", executor.n_workers)
    assert (n_taken, n_pulled) == (5, 5)


def test_an_exception_in_the_work_is_a_failed_outcome_and_the_next_job_runs(executor: Executor) -> None:
    outcomes = {outcome.job: outcome for outcome in executor.run(iter(range(4)), works.fail_on_odd)}
    assert [outcomes[job].result for job in range(4)] == [0, None, 2, None]
    assert outcomes[3].failure == "ValueError: 3 is odd"
    assert outcomes[3].n_attempts == 1


def test_the_packages_own_errors_speak_for_themselves(executor: Executor) -> None:
    (outcome,) = executor.run(iter([0]), works.refuse)
    assert outcome.failure == "sample: must be there, but got nothing. Draw it."


def test_messages_come_up_in_order_with_their_job(executor: Executor) -> None:
    heard: list[tuple[int, Any]] = []

    def hear(job: int, message: Any) -> bool:
        heard.append((job, message))
        return True

    list(executor.run(iter([2, 3]), works.count_up, hear))
    assert sorted(heard) == [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def test_the_answer_false_stops_the_job_it_answers_and_no_other(executor: Executor) -> None:
    outcomes = executor.run(iter([5, 6]), works.count_up, lambda job, message: job == 6 or message < 1)
    assert {outcome.job: outcome.result for outcome in outcomes} == {5: 2, 6: 6}


def test_without_a_listener_jobs_go_on(executor: Executor) -> None:
    (outcome,) = executor.run(iter([4]), works.count_up)
    assert outcome.result == 4


def test_a_fault_of_the_listener_reaches_the_caller(executor: Executor) -> None:
    def hear(job: int, message: Any) -> bool:
        raise LookupError("the listener's own")

    with pytest.raises(LookupError, match="the listener's own"):
        list(executor.run(iter([3]), works.count_up, hear))


def test_a_fault_in_proposing_a_job_reaches_the_caller(executor: Executor) -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(executor.run(jobs(), works.square))


def test_an_interrupt_while_proposing_comes_through(executor: Executor) -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(executor.run(jobs(), works.square))


def test_an_executor_runs_again_and_again(executor: Executor) -> None:
    for _ in range(2):
        assert [outcome.result for outcome in executor.run(iter([3]), works.square)] == [9]
