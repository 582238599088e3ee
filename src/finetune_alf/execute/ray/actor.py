"""The worker's side on a cluster: an actor, in whose process a thread does what a worker process of a pool does.

Each method returns the next message, pickled; the coordinator has called one at a time.
"""

import contextlib
import os
import pickle
import platform
import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune_alf.compute.environment import package_versions
from finetune_alf.execute.jobs import PortableWork, Work
from finetune_alf.execute.messages import Message, Started, Task
from finetune_alf.execute.parcels import cache_folder, unpack
from finetune_alf.execute.worker import serve

COMPARED = ("finetune_alf", "torch", "transformers")
"""Packages whose versions must be the coordinator's: results depend on them, or messages do."""


def versions() -> dict[str, str | None]:
    """Return what must be the same on all machines; builds of torch for other devices count as the same."""
    packages = {name: version and version.partition("+")[0] for name, version in package_versions().items()}
    return {"Python": platform.python_version(), **{name: packages[name] for name in COMPARED}}


class Actor:
    """A worker."""

    def __init__(self, number: int) -> None:
        self._number, self._channel = number, _Queues()
        self._work: Work[Any, Any] | None = None
        self._folders: dict[str, Path] = {}  # by digest; checked in this process

    def hello(self) -> dict[str, str | None]:
        """Return this process's versions."""
        return versions()

    def load(self, pickled_work: bytes) -> bytes:
        """Load the work."""
        arguments = (self._channel, pickled_work, self._number, self._keep)
        threading.Thread(target=_serve, args=arguments, daemon=True).start()
        return self._channel.next_message()

    def run(self, task: Task, digests: Mapping[str, str], new: Sequence[str], *contents: Mapping[str, bytes]) -> bytes:
        """Begin a task whose job reads parcels with these digests, by their keys.

        `contents` are those of the `new` digests, which no earlier task brought, in their order. Raises DataError when
        one cannot be unpacked.
        """
        for expected, files in zip(new, contents, strict=True):
            self._folders[expected] = unpack(cache_folder(), expected, files)
        if isinstance(self._work, PortableWork):
            folders = {key: self._folders[expected] for key, expected in digests.items()}
            task = replace(task, job=self._work.moved(task.job, folders))
        return self.answer(task)

    def answer(self, message: Task | bool) -> bytes:
        """Send a message to the thread, which may be an answer to its report."""
        self._channel.to_thread.put(message)
        return self._channel.next_message()

    def listen(self) -> bytes:
        """Let the task go on: the coordinator knows that it has begun."""
        self._channel.to_thread.put(None)
        return self._channel.next_message()

    def next_message(self) -> bytes:
        """Return the next message after a report that is not answered."""
        return self._channel.next_message()

    def _keep(self, work: Work[Any, Any]) -> None:
        self._work = work


class _Queues:
    """A channel between two threads; messages are pickled at once, so that one that cannot be is the job's failure."""

    def __init__(self) -> None:
        self.to_thread: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._from_thread: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, message: Message, /) -> None:
        self._from_thread.put(pickle.dumps(message))
        if isinstance(message, Started):  # a job that ends this process at once must count as begun
            self.to_thread.get()

    def recv(self) -> Any:
        return self.to_thread.get()

    def next_message(self) -> bytes:
        return self._from_thread.get()


def _serve(*arguments: Any) -> None:
    with contextlib.suppress(Exception):
        serve(*arguments)
    os._exit(1)  # nobody would answer any more
