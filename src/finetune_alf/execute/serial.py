"""SerialExecutor: jobs one after another, in the caller's own process."""

from collections.abc import Generator, Iterator
from typing import Any

from finetune_alf.execute.jobs import J, OnMessage, Outcome, R, Work, attempt


class SerialExecutor:
    """Runs each job here and now: repeatable to the bit, and nothing to start."""

    @property
    def n_workers(self) -> int:
        """One: this process."""
        return 1

    def run(self, jobs: Iterator[J], work: Work[J, R], on_message: OnMessage | None = None) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job, in the jobs' own order."""
        for job in jobs:
            line = _Line(job, on_message)
            result, failure = attempt(work, job, line.report)
            if line.fault is not None:  # the caller's fault, not the job's
                raise line.fault
            yield Outcome(job, result, failure, n_attempts=1)


class _Line:
    """The way of a job's messages up to the caller."""

    def __init__(self, job: object, on_message: OnMessage | None) -> None:
        self.job = job
        self.on_message = on_message
        self.fault: Exception | None = None

    def report(self, message: Any) -> bool:
        if self.on_message is None:
            return True
        try:
            return self.on_message(self.job, message)
        except Exception as error:
            self.fault = error
            raise
