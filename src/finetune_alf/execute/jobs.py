"""The words of execution: Work, Outcome, Executor. The executors are in `serial.py`, `pool.py` and `fused.py`."""

import logging
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from finetune_alf.errors import AlfError

J = TypeVar("J")
R = TypeVar("R")
JobT = TypeVar("JobT", contravariant=True)
ResultT = TypeVar("ResultT", covariant=True)

Report = Callable[[Any], bool]
"""How a job sends a message up: the answer says whether to go on."""

OnMessage = Callable[[Any, Any], bool]
"""What the caller does with a job and its message: True lets the job go on, False asks it to stop."""

logger = logging.getLogger(__name__)


class WorkerError(AlfError):
    """Worker processes that cannot start."""

    exit_code = 4


class Work(Protocol[JobT, ResultT]):
    """What is done to a job: a picklable callable, called many times in one process."""

    def __call__(self, job: JobT, report: Report) -> ResultT:
        """Do the job; a message up is `report(message)`, and its answer False asks to stop early."""
        ...


@dataclass(frozen=True)
class Outcome(Generic[J, R]):
    """What became of a job: a result, or the one-line reason why there is none."""

    job: J
    result: R | None
    failure: str | None
    n_attempts: int


@runtime_checkable
class FusedWork(Work[J, R], Protocol[J, R]):
    """Work that can be done to several jobs in one go."""

    def run_fused(self, jobs: Sequence[J], report: OnMessage) -> Generator[Outcome[J, R]]:
        """Do the jobs, and yield one outcome each, as they end.

        A job's message up is `report(job, message)`, and its answer False asks that job alone to stop early.
        """
        ...


class Executor(Protocol):
    """Runs jobs, each pulled only once a worker is free, and hands back outcomes as they come."""

    @property
    def n_workers(self) -> int:
        """How many processes do jobs at once; the fused executor's one does several."""
        ...

    def run(self, jobs: Iterator[J], work: Work[J, R], on_message: OnMessage | None = None) -> Generator[Outcome[J, R]]:
        """Yield one outcome a job.

        The next job is pulled after the caller has taken the outcome and asks for another, so that a proposal may rest
        on all outcomes so far. An Exception out of `work` is a failed outcome; one out of `jobs` or `on_message` is
        the caller's own and comes through, as KeyboardInterrupt does. However the run ends, no worker is left.
        """
        ...


def attempt(work: Work[J, R], job: J, report: Report) -> tuple[R | None, str | None]:
    """Do one job; return its result, or why there is none."""
    try:
        return work(job, report), None
    except Exception as error:
        logger.debug("Job failed.\n%s", traceback.format_exc())
        return None, reason(error)


def reason(error: BaseException) -> str:
    """Say in one line what went wrong; our own errors speak for themselves."""
    text = " ".join(str(error).split())
    return text if isinstance(error, AlfError) else f"{type(error).__name__}: {text}"
