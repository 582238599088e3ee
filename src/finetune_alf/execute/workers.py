"""The protocols of workers, as `dispatch.py` sees them: processes of this machine, or actors of a cluster."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from finetune_alf.execute.messages import Message, Task


class WorkerDied(Exception):  # noqa: N818  (an event, not a fault of the caller's)
    """A worker will send nothing more; the message says how it ended."""


class Worker(Protocol):
    """A worker as its coordinator sees it: a process of this machine, or an actor of a cluster."""

    def send(self, message: Task | bool) -> None:
        """Send a task or an answer; that the worker has died is noticed by `receive`."""
        ...

    def receive(self) -> Message:
        """Return the next message; WorkerDied where there is none."""
        ...

    def has_message(self) -> bool:
        """Whether `receive` returns at once."""
        ...

    def kill(self) -> None:
        """End it now, whatever it does."""
        ...

    def close(self) -> None:
        """Let an idle worker end; no more messages are sent or received."""
        ...


W = TypeVar("W", bound=Worker)


class Workers(Protocol[W]):
    """Starts workers and waits for their messages."""

    start_timeout_s: float
    """The seconds from the start of a worker to its first message, after which it is killed; infinity is no limit."""

    def start(self, number: int) -> W:
        """Start the worker of this number, from 0."""
        ...

    def wait(self, workers: Sequence[W], timeout_s: float | None) -> Sequence[W]:
        """Wait for messages or deaths, and return the workers that have some; WorkerError where there can be none."""
        ...

    def join(self, workers: Sequence[W]) -> None:
        """Wait until workers that were killed or closed have ended."""
        ...
