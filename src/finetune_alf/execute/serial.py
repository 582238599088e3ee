"""SerialExecutor: jobs one after another, in the caller's own process."""

from collections.abc import Generator
from functools import partial

from finetune_alf.execute.jobs import (
    NO_CALLBACKS,
    Callbacks,
    CallerReports,
    Executor,
    J,
    Jobs,
    Outcome,
    R,
    Work,
    attempt,
    next_job,
)
from finetune_alf.execute.timeout import JobTimeout, JobTimer


class SerialExecutor:
    """Runs each job in this process: reproducible to the bit, and without start-up time.

    A job that runs longer than `job_timeout_s` fails; `timeout.py` says where there is no limit.
    """

    n_fused = 1

    def __init__(self, job_timeout_s: float | None = None) -> None:
        self.job_timeout_s = job_timeout_s

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    def alone(self) -> Executor:
        """Return this executor."""
        return self

    def run(self, jobs: Jobs[J], work: Work[J, R], callbacks: Callbacks = NO_CALLBACKS) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job, in the order of the jobs."""
        while taken := next_job(jobs):
            (job,) = taken
            callbacks.on_begin(job)
            timer = JobTimer(self.job_timeout_s)
            reports = CallerReports(callbacks.on_report, timer)
            try:
                with timer.running():
                    result, failure = attempt(work, job, partial(reports.send, job))
            except JobTimeout as timeout:
                result, failure = None, str(timeout)
            reports.raise_error()
            yield Outcome(job, result, failure)
