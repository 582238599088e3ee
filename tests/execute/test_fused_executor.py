"""The fused executor beyond the contract: full groups, and jobs that run one at a time after a group has failed."""

from typing import Any

import executor_works as works
import pytest

from finetune_alf.execute import Callbacks, FusedExecutor, Outcome


class Grouped(works.FusedWorks):
    """Records the groups; fails before a given job, or yields outcomes in reverse order."""

    def __init__(self, *, fails_at: int | None = None, reverse: bool = False) -> None:
        super().__init__(works.count_up)
        object.__setattr__(self, "groups", [])
        object.__setattr__(self, "fails_at", fails_at)
        object.__setattr__(self, "reverse", reverse)

    def run_fused(self, jobs: Any, report: Any) -> Any:
        self.groups.append(list(jobs))
        for outcome in super().run_fused(jobs[::-1] if self.reverse else jobs, report):
            if outcome.job == self.fails_at:
                raise MemoryError("too many at once")
            yield outcome


def test_jobs_come_in_groups_and_the_last_may_be_smaller() -> None:
    work = Grouped()
    assert len(list(FusedExecutor(3).run(iter(range(7)), work))) == 7
    assert work.groups == [[0, 1, 2], [3, 4, 5], [6]]


def test_the_next_group_is_taken_once_all_jobs_of_one_have_finished() -> None:
    taken = []

    def jobs() -> Any:
        for job in range(4):
            taken.append(job)
            yield job

    run = FusedExecutor(2).run(jobs(), Grouped())
    seen = [(next(run).job, len(taken)) for _ in range(4)]
    assert seen == [(0, 2), (1, 2), (2, 4), (3, 4)]


def test_outcomes_come_in_the_order_in_which_jobs_finish() -> None:
    outcomes = FusedExecutor(3).run(iter([1, 2, 3]), Grouped(reverse=True))
    assert [outcome.job for outcome in outcomes] == [3, 2, 1]


def test_unfinished_jobs_of_a_failed_group_run_one_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = list(FusedExecutor(3).run(iter([4, 5, 6, 7]), Grouped(fails_at=5)))
    assert outcomes == [Outcome(number, number, None) for number in range(4, 8)]
    assert "2 fused jobs failed: MemoryError: too many at once" in caplog.text


def test_an_exception_in_the_callback_ends_the_run() -> None:
    def on_report(job: int, content: Any) -> bool:
        raise LookupError("the callback's own")

    work = Grouped()
    with pytest.raises(LookupError, match="the callback's own"):
        list(FusedExecutor(2).run(iter([2, 3, 4]), work, Callbacks(on_report=on_report)))
    assert work.groups == [[2, 3]]


def test_fewer_than_one_fused_job_is_refused() -> None:
    with pytest.raises(ValueError, match="n_fused: must be at least 1, but got 0"):
        FusedExecutor(0)
