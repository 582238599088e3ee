"""The protocols of execution: Work, Outcome, Executor. The executors are in `serial.py`, `pool.py` and `fused.py`."""

import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from finetune_alf.errors import AlfError
from finetune_alf.execute.timeout import JobTimer

J = TypeVar("J")
R = TypeVar("R")
JobT = TypeVar("JobT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)

Report = Callable[[Any], bool]
"""Reports a job's progress to the caller; returns False if the job should stop early."""

OnReport = Callable[[Any, Any], bool]
"""The caller's callback for a job and its report: True lets the job continue, False stops it early."""

logger = logging.getLogger(__name__)


class Work(Protocol[JobT, ResultT]):
    """A picklable callable that runs a job; it is called many times in one process."""

    def __call__(self, job: JobT, report: Report) -> ResultT:
        """Run the job; it may call `report`, and should stop early when that returns False."""
        ...


@dataclass(frozen=True)
class Outcome(Generic[J, R]):
    """The end of one attempt at a job: its result, or the reason in one line why it has none.

    `worker_died`: the job failed because its process ended, and not by an exception.
    """

    job: J
    result: R | None
    failure: str | None
    worker_died: bool = False


@runtime_checkable
class FusedWork(Work[J, R], Protocol[J, R]):
    """Work that can run several jobs as one computation."""

    def run_fused(self, jobs: Sequence[J], report: OnReport) -> Generator[Outcome[J, R]]:
        """Run the jobs, and yield one outcome each, as they finish.

        A job reports by `report(job, content)`; when that returns False, only this job should stop early.
        """
        ...


class Executor(Protocol):
    """Runs jobs, taking each from the iterator only once a worker is idle, and yields outcomes as they come."""

    @property
    def n_workers(self) -> int:
        """The number of processes that run jobs at once; the fused executor's one process runs several jobs."""
        ...

    def alone(self) -> "Executor":
        """Return the executor that runs one job at a time, with nothing beside it."""
        ...

    def run(self, jobs: Iterator[J], work: Work[J, R], on_report: OnReport | None = None) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job: each is attempted once, and `attempts.py` repeats what may be repeated.

        The next job is taken after the caller has received the outcome and requests another, so that a proposal can use
        all outcomes so far. An Exception in `work` is a failed outcome; one in `jobs` or `on_report` is raised to the
        caller, as KeyboardInterrupt is. However the run ends, no worker process is left.
        """
        ...


def attempt(work: Work[J, R], job: J, report: Report) -> tuple[R | None, str | None]:
    """Run one job; return its result and None, or None and the reason for the failure."""
    try:
        return work(job, report), None
    except Exception as error:
        logger.debug("Job failed.\n%s", traceback.format_exc())
        return None, reason(error)


def reason(error: BaseException) -> str:
    """Return an exception in one line; the package's own errors without their type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, AlfError) else f"{type(error).__name__}: {text}"


@dataclass
class CallerReports:
    """Passes jobs' reports to the caller, and distinguishes the caller's exceptions from the jobs' own.

    The caller's time is not the job's: its timer is paused.
    """

    on_report: OnReport | None
    timer: JobTimer
    error: Exception | None = None

    def send(self, job: Any, content: Any) -> bool:
        """Report to the caller; returns whether the job should continue."""
        if self.on_report is None:
            return True
        with self.timer.paused():
            try:
                return self.on_report(job, content)
            except Exception as error:
                self.error = error
                raise

    def raise_error(self) -> None:
        """Raise the exception that the caller's callback raised, if any."""
        if self.error is not None:
            raise self.error
