"""The protocols of execution: Work, Outcome, Executor. The executors are in `serial.py`, `pool.py` and `fused.py`."""

import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

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

OnBegin = Callable[[Any], None]
"""The caller's callback for a job that is about to begin, once for each job."""


def _ignore(_: Any) -> None:
    return


def _go_on(*_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Callbacks:
    """What the caller of an executor learns of each job, and whether it may stop a job early.

    Where it may not, `on_report` returns True, and a worker does not wait for that.
    """

    on_begin: OnBegin = _ignore
    on_report: OnReport = _go_on
    may_stop: bool = True


NO_CALLBACKS = Callbacks(may_stop=False)

logger = logging.getLogger(__name__)


class NotReady(Enum):
    """What a source of jobs yields while its next job depends on outcomes that have not come."""

    NOT_READY = auto()


NOT_READY: Final = NotReady.NOT_READY

Jobs = Iterator[J | NotReady]
"""A source of jobs. After NOT_READY it is called again, at the latest when an outcome has come."""


def next_job(jobs: Jobs[J]) -> tuple[J] | None:
    """Return the next job in a tuple of one, or None while there is none, also at the end."""
    for job in jobs:
        return None if isinstance(job, NotReady) else (job,)
    return None


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


@runtime_checkable
class PlacedWork(Work[JobT, ResultT], Protocol[JobT, ResultT]):
    """Work that each worker does on a device of its own."""

    def placed(self, number: int) -> Work[JobT, ResultT]:
        """Return the work as the worker of this number does it, from 0."""
        ...


@runtime_checkable
class MeasuredWork(Work[JobT, ResultT], Protocol[JobT, ResultT]):
    """Work that knows how much memory its jobs have taken on the device that its worker shares with others."""

    def room(self) -> int | None:
        """Return how many more workers the device has memory for, after a job; None where it does not count."""
        ...


@runtime_checkable
class PortableWork(Work[J, ResultT], Protocol[J, ResultT]):
    """Work whose jobs read files, which can be brought to a machine that does not have them."""

    def files_of(self, job: J) -> Mapping[str, Mapping[str, Path]]:
        """Return the files that a job reads: folders under keys of their own, in each the files by name."""
        ...

    def moved(self, job: J, folders: Mapping[str, Path]) -> J:
        """Return the job as it is on a machine where these are the folders of its keys."""
        ...


class Executor(Protocol):
    """Runs jobs from a source, and yields outcomes as they come."""

    @property
    def n_workers(self) -> int:
        """The number of processes that run jobs at once."""
        ...

    @property
    def n_fused(self) -> int:
        """The largest number of jobs that one process runs at once, as one computation; 1 where it fuses none."""
        ...

    def alone(self) -> "Executor":
        """Return the executor that runs one job at a time, with nothing beside it."""
        ...

    def run(self, jobs: Jobs[J], work: Work[J, R], callbacks: Callbacks = NO_CALLBACKS) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job: each is attempted once, and `attempts.py` repeats what may be repeated.

        A job is taken when a worker is idle, after the caller has received the outcome and requests another, so that a
        proposal can use all outcomes so far. Where workers are processes of their own, up to N_AHEAD jobs are taken
        while all are busy, so that a worker does not wait for them. A job begins when a worker is idle. `next_job`
        takes it: where no job is ready, the source is called again when something has come from a worker, and the run
        ends when none works. An Exception in `work` is a failed outcome; one in `jobs` or a callback is raised to the
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

    on_report: OnReport
    timer: JobTimer
    error: Exception | None = None

    def send(self, job: Any, content: Any) -> bool:
        """Report to the caller; returns whether the job should continue."""
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
