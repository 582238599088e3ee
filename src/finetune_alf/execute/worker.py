"""The worker process of the pool: receive a job, run it, send its result.

It sends `Ready` once, or `LoadFailed`; then `Progress`, which the pool answers with a bool, and `Done`. It receives a
job in a tuple of one, and None at the end.
"""

import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from finetune_alf.execute.jobs import Report, attempt, reason

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@dataclass(frozen=True)
class Ready:
    """The work is loaded."""


@dataclass(frozen=True)
class LoadFailed:
    """The work cannot be loaded in the worker process."""

    reason: str


@dataclass(frozen=True)
class Progress:
    """A job's report."""

    content: Any


@dataclass(frozen=True)
class Done:
    """The end of a job: its result, or the reason for its failure."""

    result: Any
    failure: str | None


def serve(pipe: Connection, parent_pid: int, pickled_work: bytes) -> None:
    """Run jobs from the pipe until it closes or None comes.

    The work is unpickled here, so that a failure to load it is reported before the process ends.
    """
    _exit_with(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the coordinator handles it
    try:
        work = pickle.loads(pickled_work)  # noqa: S301  (our own parent pickled it)
    except Exception as error:
        pipe.send(LoadFailed(reason(error)))
        return
    pipe.send(Ready())
    try:
        while (message := pipe.recv()) is not None:
            (job,) = message
            _send_done(pipe, Done(*attempt(work, job, _report_to(pipe))))
    except (EOFError, OSError):  # the coordinator is gone
        return


def _report_to(pipe: Connection) -> Report:
    def report(content: Any) -> bool:
        pipe.send(Progress(content))
        return bool(pipe.recv())

    return report


def _send_done(pipe: Connection, done: Done) -> None:
    try:
        pipe.send(done)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        pipe.send(Done(None, f"the result cannot be pickled: {reason(error)}"))


def _exit_with(parent_pid: int) -> None:
    """End this process when the parent process ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:  # the parent ended before the line above
        os._exit(0)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(0.5)
    os._exit(0)
