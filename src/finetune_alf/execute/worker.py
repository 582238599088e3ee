"""The worker's side of executors: load the work, then receive a task, run it, send its result."""

import pickle
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from finetune_alf.execute.jobs import MeasuredWork, PlacedWork, Report, Work, attempt, reason
from finetune_alf.execute.messages import Channel, Done, LoadFailed, Progress, Ready, Started, Task
from finetune_alf.processes import collect_rarely, end_with_parent


def serve_process(pipe: Connection, parent_pid: int, pickled_work: bytes, number: int) -> None:
    """Be a worker process of a pool, the worker of this number."""
    end_with_parent(parent_pid)
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the coordinator handles it
    serve(pipe, pickled_work, number)


def serve(
    channel: Channel, pickled_work: bytes, number: int, on_load: Callable[[Work[Any, Any]], None] | None = None
) -> None:
    """Run tasks from the channel until it closes or None comes.

    The work is unpickled here, so that a failure to load it is reported before the process ends; `on_load` is given it.
    """
    try:
        work = pickle.loads(pickled_work)  # noqa: S301  (our own coordinator pickled it)
        work = work.placed(number) if isinstance(work, PlacedWork) else work
        if on_load:
            on_load(work)
    except Exception as error:
        channel.send(LoadFailed(reason(error)))
        return
    channel.send(Ready())
    try:
        while (task := channel.recv()) is not None:
            channel.send(Started(task.attempt))
            result, failure = attempt(work, task.job, _report_to(channel, task))
            room = work.room() if isinstance(work, MeasuredWork) else None
            _send_done(channel, Done(task.attempt, result, failure, room))
    except (EOFError, OSError):  # the coordinator is gone
        return


def _report_to(channel: Channel, task: Task) -> Report:
    def report(content: Any) -> bool:
        channel.send(Progress(task.attempt, content))
        return bool(channel.recv()) if task.may_stop else True

    return report


def _send_done(channel: Channel, done: Done) -> None:
    try:
        channel.send(done)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        channel.send(Done(done.attempt, None, f"the result cannot be pickled: {reason(error)}"))
