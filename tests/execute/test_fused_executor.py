"""What the fused executor promises beyond the contract: groups that fill, and a way on when one breaks off."""

from typing import Any

import executor_works as works
import pytest

from finetune_alf.execute import FusedExecutor, Outcome


class Grouped(works.OfSeveral):
    """Notes which jobs came together; breaks off before a job that is named, or answers in another order."""

    def __init__(self, *, breaks_at: int | None = None, backwards: bool = False) -> None:
        super().__init__(works.count_up)
        object.__setattr__(self, "groups", [])
        object.__setattr__(self, "breaks_at", breaks_at)
        object.__setattr__(self, "backwards", backwards)

    def run_fused(self, jobs: Any, report: Any) -> Any:
        self.groups.append(list(jobs))
        for outcome in super().run_fused(jobs[::-1] if self.backwards else jobs, report):
            if outcome.job == self.breaks_at:
                raise MemoryError("too many at once")
            yield outcome


def test_jobs_come_in_groups_and_the_last_may_be_smaller() -> None:
    work = Grouped()
    assert len(list(FusedExecutor(3).run(iter(range(7)), work))) == 7
    assert work.groups == [[0, 1, 2], [3, 4, 5], [6]]


def test_the_next_group_is_pulled_once_all_of_one_have_ended() -> None:
    pulled = []

    def jobs() -> Any:
        for job in range(4):
            pulled.append(job)
            yield job

    run = FusedExecutor(2).run(jobs(), Grouped())
    seen = [(next(run).job, len(pulled)) for _ in range(4)]
    assert seen == [(0, 2), (1, 2), (2, 4), (3, 4)]


def test_outcomes_come_in_the_order_in_which_jobs_end() -> None:
    outcomes = FusedExecutor(3).run(iter([1, 2, 3]), Grouped(backwards=True))
    assert [outcome.job for outcome in outcomes] == [3, 2, 1]


def test_what_is_left_of_a_group_that_breaks_off_is_done_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = list(FusedExecutor(3).run(iter([4, 5, 6, 7]), Grouped(breaks_at=5)))
    assert outcomes == [Outcome(4, 4, None, 1), Outcome(5, 5, None, 2), Outcome(6, 6, None, 2), Outcome(7, 7, None, 1)]
    assert "2 jobs done together broke off: MemoryError: too many at once" in caplog.text


def test_a_fault_of_the_listener_is_its_own_and_ends_the_run() -> None:
    def hear(job: int, message: Any) -> bool:
        raise LookupError("the listener's own")

    work = Grouped()
    with pytest.raises(LookupError, match="the listener's own"):
        list(FusedExecutor(2).run(iter([2, 3, 4]), work, hear))
    assert work.groups == [[2, 3]]


def test_groups_of_none_are_refused() -> None:
    with pytest.raises(ValueError, match="n_fused: must be at least 1, but got 0"):
        FusedExecutor(0)
