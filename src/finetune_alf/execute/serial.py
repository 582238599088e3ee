"""SerialExecutor: jobs one after another, in the caller's own process."""

from collections.abc import Generator, Iterator
from functools import partial

from finetune_alf.execute.jobs import CallerReports, J, OnReport, Outcome, R, Work, attempt


class SerialExecutor:
    """Runs each job in this process: reproducible to the bit, and without start-up time."""

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    def run(self, jobs: Iterator[J], work: Work[J, R], on_report: OnReport | None = None) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job, in the order of the jobs."""
        for job in jobs:
            reports = CallerReports(on_report)
            result, failure = attempt(work, job, partial(reports.send, job))
            reports.raise_error()
            yield Outcome(job, result, failure, n_attempts=1)
