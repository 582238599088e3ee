"""What runs inside a worker process of the pool: take a job, do it, send back what came of it.

Up go pairs: ("ready", None) once, or ("unfit", why); then ("message", its content), answered by a bool, and
("done", (result, failure)). Down come a job in a tuple of one, and None at the end.
"""

import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from finetune_alf.execute.jobs import attempt, reason

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def serve(pipe: Connection, parent: int, pickled_work: bytes) -> None:
    """Do jobs from the pipe until it closes or None comes.

    The work comes pickled, so that one that cannot be loaded here is reported instead of ending the process mutely.
    """
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the coordinator decides
    try:
        work = pickle.loads(pickled_work)  # noqa: S301  (our own parent pickled it)
    except Exception as error:
        pipe.send(("unfit", reason(error)))
        return
    pipe.send(("ready", None))
    try:
        while (job := pipe.recv()) is not None:
            _send_outcome(pipe, *attempt(work, *_told(job, pipe)))
    except (EOFError, OSError):  # the coordinator is gone
        return


def _told(job: tuple[Any], pipe: Connection) -> tuple[Any, Any]:
    def report(message: Any) -> bool:
        pipe.send(("message", message))
        return bool(pipe.recv())

    return job[0], report


def _send_outcome(pipe: Connection, result: Any, failure: str | None) -> None:
    try:
        pipe.send(("done", (result, failure)))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        pipe.send(("done", (None, f"the result must be picklable, but got {reason(error)}")))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)
