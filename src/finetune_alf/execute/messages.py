"""The messages between the coordinator, whose side is in `dispatch.py`, and workers, whose side is in `worker.py`.

A worker sends `Ready` once, or `LoadFailed`. Then, for each `Task` that it is sent, it sends `Started`, any number of
`Progress`, each of which is answered by a bool where the task may be stopped early, and `Done`. None ends a worker.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Task:
    """An attempt at a job: its number is its own within a run, so that a late message of another one is known."""

    attempt: int
    job: Any
    may_stop: bool = True


@dataclass(frozen=True)
class Placed:
    """The process of a worker on a cluster runs, and begins to load the work; other workers send Ready alone."""


@dataclass(frozen=True)
class Ready:
    """The work is loaded."""


@dataclass(frozen=True)
class LoadFailed:
    """The work cannot be loaded in the worker, for this reason in one line; the worker ends."""

    reason: str


@dataclass(frozen=True)
class Started:
    """An attempt has started."""

    attempt: int


@dataclass(frozen=True)
class Progress:
    """A job's report, such as the metrics of an epoch; the answer is whether the job should continue."""

    attempt: int
    content: Any


@dataclass(frozen=True)
class Done:
    """The end of an attempt: its result and None, or None and the reason for its failure, in one line.

    `room` is how many more workers the memory of its device has room for; None where nothing limits them.
    """

    attempt: int
    result: Any
    failure: str | None
    room: int | None = None


Message = Placed | Ready | LoadFailed | Started | Progress | Done


class Channel(Protocol):
    """The worker's end: a pipe, or two queues."""

    def send(self, message: Any, /) -> None:
        """Send a message; raises what pickle does where it cannot be sent."""
        ...

    def recv(self) -> Any:
        """Wait for a task, an answer or None; EOFError or OSError when the coordinator is gone."""
        ...
