"""FusedExecutor: several jobs at once in the caller's own process, as one computation."""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from finetune_alf.execute.jobs import (
    NO_CALLBACKS,
    Callbacks,
    CallerReports,
    FusedWork,
    J,
    Jobs,
    OnBegin,
    OnReport,
    Outcome,
    R,
    Work,
    next_job,
    reason,
)
from finetune_alf.execute.serial import SerialExecutor
from finetune_alf.execute.timeout import JobTimeout, JobTimer

logger = logging.getLogger(__name__)


class FusedExecutor:
    """Runs up to `n_fused` jobs at a time as one computation; work that cannot be fused runs one job at a time.

    The next jobs are taken once all of these have finished, since a proposal may depend on the outcomes before its
    group. If a whole group fails (out of memory, for instance), its unfinished jobs run one at a time. A group has
    `job_timeout_s` seconds for each of its jobs; None is no limit. Raises ValueError for `n_fused` below 1.
    """

    def __init__(self, n_fused: int, job_timeout_s: float | None = None) -> None:
        if n_fused < 1:
            raise ValueError(f"n_fused: must be at least 1, but got {n_fused}.")
        self.n_fused, self.job_timeout_s = n_fused, job_timeout_s

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    def alone(self) -> SerialExecutor:
        """Return the executor that fuses nothing."""
        return SerialExecutor(self.job_timeout_s)

    def run(self, jobs: Jobs[J], work: Work[J, R], callbacks: Callbacks = NO_CALLBACKS) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job, in the order in which the jobs of a group finish."""
        if not isinstance(work, FusedWork):
            yield from self.alone().run(jobs, work, callbacks)
            return
        while group := self._next_group(jobs, callbacks.on_begin):
            unfinished = yield from self._run_group(group, work, callbacks.on_report)
            yield from self.alone().run(iter(unfinished), work, Callbacks(on_report=callbacks.on_report))

    def _next_group(self, jobs: Jobs[J], on_begin: OnBegin) -> list[J]:
        """Begin the jobs of the next group, fewer than `n_fused` where no more are ready, and return them."""
        group: list[J] = []
        while len(group) < self.n_fused and (taken := next_job(jobs)):
            group += taken
            on_begin(group[-1])
        return group

    def _run_group(
        self, group: Sequence[J], work: FusedWork[J, R], on_report: OnReport
    ) -> Generator[Outcome[J, R], None, list[J]]:
        """Yield the outcomes of a group. Returns the jobs that did not finish because the group failed."""
        timer = JobTimer(self.job_timeout_s and self.job_timeout_s * len(group))
        unfinished, reports = list(group), CallerReports(on_report, timer)
        try:
            with closing(work.run_fused(group, reports.send)) as outcomes:
                while (outcome := _next(outcomes, timer)) is not None:
                    reports.raise_error()
                    unfinished.remove(outcome.job)
                    yield outcome
        except (Exception, JobTimeout) as error:
            reports.raise_error()
            logger.warning("%d fused jobs failed: %s. They run one at a time.", len(unfinished), reason(error))
        return unfinished


def _next(outcomes: Iterator[Outcome[J, R]], timer: JobTimer) -> Outcome[J, R] | None:
    with timer.running():
        return next(outcomes, None)
