"""Attempts at jobs: committed before they begin, bounded in number, repeated where a worker process died."""

import math
from collections import Counter
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol

from finetune_alf.errors import AlfError, PartialError
from finetune_alf.execute.jobs import NO_CALLBACKS, Callbacks, Executor, J, Jobs, JobT, NotReady, Outcome, R, Work

MAX_ATTEMPTS = 3
"""A job is given up after this many attempts, counted over all starts of the program."""


class AttemptLog(Protocol[JobT]):
    """Where the numbers of attempts are kept: an attempt that ends with this process counts at the next start."""

    def n_attempts(self, job: JobT) -> int:
        """Return how many attempts at a job have begun."""
        ...

    def begin(self, job: JobT) -> None:
        """Commit that an attempt begins."""
        ...

    def withdraw(self, job: JobT) -> None:
        """Take back the last attempt: how it ended says nothing of the job."""
        ...


def run_attempts(
    executor: Executor,
    jobs: Jobs[J],
    work: Work[J, R],
    log: AttemptLog[J],
    callbacks: Callbacks = NO_CALLBACKS,
    max_failures_in_a_row: float = math.inf,
) -> Generator[Outcome[J, R]]:
    """Run jobs that have attempts left, and yield the outcome of the last attempt at each.

    An exception in a job waits for the next start, since its cause is most likely still there. A job whose worker died
    is attempted again, after all others that are ready have had their turn. The last attempt at a job is made alone, so
    that nothing beside it takes its memory.

    Raises PartialError after more than `max_failures_in_a_row`: their cause then lies in the machine and not in the
    jobs, so these attempts are withdrawn, except for a job that is given up. When the run ends by any exception, the
    attempts that were under way are withdrawn.
    """
    attempts = _Attempts(work, log, callbacks, max_failures_in_a_row)
    try:
        yield from attempts.run(executor, jobs)
        while attempts.again:
            again, last = attempts.take_again()
            yield from attempts.run(executor, iter(again))
            yield from attempts.run(executor.alone(), iter(last))
            yield from attempts.run(executor, jobs)  # those that depend on the jobs attempted again
        if attempts.is_waiting:
            raise RuntimeError("a job is not ready, and nothing runs that it could depend on")
    finally:
        attempts.withdraw()


@dataclass
class _Attempts(Generic[J, R]):
    work: Work[J, R]
    log: AttemptLog[J]
    callbacks: Callbacks
    max_failures_in_a_row: float
    running: list[J] = field(default_factory=list)  # withdrawn if the run ends now
    again: list[J] = field(default_factory=list)
    failed: list[Outcome[J, R]] = field(default_factory=list)  # in a row, up to now
    is_waiting: bool = False  # whether the source of jobs yielded NOT_READY last

    def run(self, executor: Executor, jobs: Jobs[J]) -> Generator[Outcome[J, R]]:
        """Attempt each job once, and yield the outcomes of those that are not attempted again."""
        is_alone = executor.alone() is executor
        callbacks = replace(self.callbacks, on_begin=self._begin)
        with closing(executor.run(self._without_last(jobs, is_alone), self.work, callbacks)) as outcomes:
            for outcome in outcomes:
                self.running.remove(outcome.job)
                if outcome.worker_died and self.log.n_attempts(outcome.job) < MAX_ATTEMPTS:
                    self.again.append(outcome.job)
                else:
                    yield outcome
                self._check_row(outcome)

    def take_again(self) -> tuple[list[J], list[J]]:
        """Return the jobs to attempt again, and those whose last attempt it is."""
        jobs, self.again = self.again, []
        return [job for job in jobs if not self._is_last(job)], [job for job in jobs if self._is_last(job)]

    def withdraw(self) -> None:
        for job in self.running:
            with suppress(AlfError):  # the run ends with the error that is under way
                self.log.withdraw(job)

    def _is_last(self, job: J) -> bool:
        return self.log.n_attempts(job) >= MAX_ATTEMPTS - 1

    def _begin(self, job: J) -> None:
        self.running.append(job)
        self.log.begin(job)
        self.callbacks.on_begin(job)

    def _without_last(self, jobs: Jobs[J], is_alone: bool) -> Jobs[J]:
        """Yield jobs; those whose last attempt it is are left for a run alone."""
        for job in jobs:
            self.is_waiting = isinstance(job, NotReady)
            if isinstance(job, NotReady):
                yield job
                continue
            if self._is_last(job) and not is_alone:
                self.again.append(job)
                continue
            yield job
        self.is_waiting = False

    def _check_row(self, outcome: Outcome[J, R]) -> None:
        """Stop the run after too many failures in a row."""
        if outcome.failure is None:
            self.failed.clear()
            return
        self.failed.append(outcome)
        if len(self.failed) <= self.max_failures_in_a_row:
            return
        self.running += [one.job for one in self.failed if self.log.n_attempts(one.job) < MAX_ATTEMPTS]
        reason, n = Counter(one.failure for one in self.failed).most_common(1)[0]
        raise PartialError(
            f"stopped after {len(self.failed)} failed attempts in a row. The reason of {n} of them: {reason}. "
            "What is finished is kept. Remove the cause, then run the same command again to resume."
        )
