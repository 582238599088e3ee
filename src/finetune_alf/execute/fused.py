"""FusedExecutor: several jobs at once in the caller's own process, as one computation."""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from finetune_alf.execute.jobs import FusedWork, J, OnMessage, Outcome, R, Work, reason
from finetune_alf.execute.serial import SerialExecutor

logger = logging.getLogger(__name__)


class FusedExecutor:
    """Hands up to `n_fused` jobs at a time to work that can do them together; other work it does job by job.

    The next jobs are pulled once all of these have ended: a proposal may rest on the outcomes before its group.
    Should a group break off as a whole (short of memory, say), what is left of it is done job by job.
    """

    def __init__(self, n_fused: int) -> None:
        if n_fused < 1:
            raise ValueError(f"n_fused: must be at least 1, but got {n_fused}.")
        self.n_fused = n_fused

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    def run(self, jobs: Iterator[J], work: Work[J, R], on_message: OnMessage | None = None) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job, in the order in which the jobs of a group end."""
        if not isinstance(work, FusedWork):
            yield from SerialExecutor().run(jobs, work, on_message)
            return
        pulled = iter(jobs)
        while group := list(islice(pulled, self.n_fused)):
            left = yield from _together(group, work, on_message)
            for outcome in SerialExecutor().run(iter(left), work, on_message):
                yield replace(outcome, n_attempts=2)


def _together(
    group: Sequence[J], work: FusedWork[J, R], on_message: OnMessage | None
) -> Generator[Outcome[J, R], None, list[J]]:
    """Yield the outcomes of a group. Returns the jobs that have none because the group broke off."""
    left, line = list(group), _Line(on_message)
    try:
        with closing(work.run_fused(group, line.report)) as outcomes:
            for outcome in outcomes:
                line.check()
                left.remove(outcome.job)
                yield outcome
    except Exception as error:
        line.check()
        logger.warning("%d jobs done together broke off: %s. They are done one by one.", len(left), reason(error))
    return left


@dataclass
class _Line:
    """The way of the jobs' messages up to the caller, whose own faults are not the jobs'."""

    on_message: OnMessage | None
    fault: Exception | None = None

    def report(self, job: Any, message: Any) -> bool:
        if self.on_message is None:
            return True
        try:
            return self.on_message(job, message)
        except Exception as error:
            self.fault = error
            raise

    def check(self) -> None:
        if self.fault is not None:
            raise self.fault
