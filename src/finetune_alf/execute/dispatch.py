"""Dispatch: jobs for workers as they become idle, and their outcomes. `pool.py` and `ray/` start the workers."""

import itertools
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic

from finetune_alf.errors import WorkerError
from finetune_alf.execute.devices import SharedDevices
from finetune_alf.execute.jobs import Callbacks, J, Jobs, Outcome, next_job
from finetune_alf.execute.messages import Done, LoadFailed, Placed, Progress, Ready, Started, Task
from finetune_alf.execute.timeout import timeout_message
from finetune_alf.execute.workers import W, WorkerDied, Workers

MAX_FAILED_STARTS = 3
"""The run fails after this many workers in a row have died before they began a job."""

N_AHEAD = 1
"""How many jobs are taken while all workers are busy: to commit a trial takes tens of milliseconds."""

START_TIMEOUT_S = 600.0
"""How many seconds a worker may take to load its work."""

LONGEST_WAIT_S = 3600.0
"""After so long messages are waited for anew: the system takes no wait of a month."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting(Generic[J]):
    """A job that was taken; where it has begun for the caller, the worker that it was sent to died before it began."""

    job: J
    has_begun: bool = False


@dataclass
class _Slot(Generic[J, W]):
    """A worker, the attempt that it was sent, and when its time is over."""

    number: int
    worker: W
    due: float
    is_ready: bool = False
    task: Task | None = None
    has_started: bool = False
    is_overdue: bool = False

    @property
    def is_idle(self) -> bool:
        return self.is_ready and self.task is None


@dataclass
class Dispatch(Generic[J, W]):
    """One run of jobs by up to `n_workers`, each job with at most `job_timeout_s` seconds; None is no limit.

    Workers start when jobs wait for them and their devices have room. A worker that becomes idle is sent the next job
    that was taken ahead before its outcome is yielded, so that it works while the caller commits that. A job whose
    worker died before it began is sent to another worker before all other jobs. A message about an attempt that has
    ended is dropped; the answer to a report, where it waits for one, tells the worker to stop that attempt.
    """

    jobs: Jobs[J]
    workers: Workers[W]
    n_workers: int
    job_timeout_s: float | None
    callbacks: Callbacks
    devices: SharedDevices = field(default_factory=lambda: SharedDevices(None))
    slots: list[_Slot[J, W]] = field(default_factory=list)
    waiting: list[_Waiting[J]] = field(default_factory=list)
    attempts: Iterator[int] = field(default_factory=itertools.count)
    n_failed_starts: int = 0

    def outcomes(self) -> Iterator[Outcome[J, object]]:
        """Yield each job's outcome as it comes; WorkerError when workers cannot start."""
        self._fill()
        while awaited := {id(slot.worker): slot for slot in self.slots if not slot.is_idle}:
            if not self.waiting and not any(slot.task for slot in awaited.values()):
                return  # the workers that still start have nothing to do
            for worker in self.workers.wait([slot.worker for slot in awaited.values()], self._seconds_to_next_due()):
                outcome = self._receive(awaited[id(worker)])
                if outcome is not None:
                    self._send_waiting()
                    yield outcome
            self._kill_overdue()
            self._fill()

    def close(self) -> None:
        """Stop idle workers, kill the others, and wait for all."""
        for slot in self.slots:
            if slot.is_idle:
                slot.worker.close()
            else:
                slot.worker.kill()
        self.workers.join([slot.worker for slot in self.slots])

    def _fill(self) -> None:
        """Send jobs to idle workers, start workers for the jobs that are left, and take some ahead."""
        n_idle, free = sum(slot.task is None for slot in self.slots), self._free_numbers()
        self._take(n_idle + len(free))
        self._send_waiting()
        for number in free:
            if len(self.waiting) > sum(not slot.is_ready for slot in self.slots):
                due = time.monotonic() + self.workers.start_timeout_s
                self.slots.append(_Slot(number, self.workers.start(number), due))
        self._take(sum(not slot.is_ready for slot in self.slots) + N_AHEAD)

    def _take(self, n: int) -> None:
        """Take jobs until so many wait, or none is ready."""
        while len(self.waiting) < n and (taken := next_job(self.jobs)):
            self.waiting += map(_Waiting, taken)

    def _send_waiting(self) -> None:
        for slot in [slot for slot in self.slots if slot.is_idle][: len(self.waiting)]:
            self._send(slot, self.waiting.pop(0))

    def _free_numbers(self) -> list[int]:
        """Return the numbers of the workers that may start."""
        taken, free = {slot.number for slot in self.slots}, []
        for number in range(self.n_workers):
            if number not in taken and self.devices.has_room(number, taken):
                free.append(number)
                taken.add(number)
        return free

    def _send(self, slot: _Slot[J, W], waiting: _Waiting[J]) -> None:
        if not waiting.has_begun:
            self.callbacks.on_begin(waiting.job)
        slot.task, slot.has_started = Task(next(self.attempts), waiting.job, self.callbacks.may_stop), False
        slot.due = time.monotonic() + (self.job_timeout_s or math.inf)
        slot.worker.send(slot.task)

    def _seconds_to_next_due(self) -> float | None:
        due = min(slot.due for slot in self.slots)
        return None if due == math.inf else min(max(due - time.monotonic(), 0.0), LONGEST_WAIT_S)

    def _kill_overdue(self) -> None:
        """Kill workers that are past their time limit and have sent no message; `_receive` then sees their deaths."""
        for slot in self.slots:
            if not slot.is_idle and slot.due <= time.monotonic() and not slot.worker.has_message():
                slot.is_overdue = True
                slot.worker.kill()

    def _receive(self, slot: _Slot[J, W]) -> Outcome[J, object] | None:
        """Handle one message of a worker."""
        try:
            message = slot.worker.receive()
        except WorkerDied as death:
            return self._worker_died(slot, str(death))
        match message:
            case Placed():
                slot.due = time.monotonic() + START_TIMEOUT_S
            case Ready():
                slot.is_ready, slot.due = True, math.inf
            case LoadFailed(reason):
                raise WorkerError(f"A worker cannot load its work: {reason}")
            case Started() | Progress() | Done():
                return self._handle(slot, message)
        return None

    def _handle(self, slot: _Slot[J, W], message: Started | Progress | Done) -> Outcome[J, object] | None:
        """Handle a message about an attempt."""
        if slot.task is None or message.attempt != slot.task.attempt:
            logger.warning("A late message of attempt %d was dropped.", message.attempt)
            if isinstance(message, Progress) and self.callbacks.may_stop:
                slot.worker.send(False)
            return None
        job: J = slot.task.job
        match message:
            case Started():
                slot.has_started, self.n_failed_starts = True, 0
            case Progress(_, content):
                before = time.monotonic()
                should_continue = self.callbacks.on_report(job, content)
                slot.due += time.monotonic() - before
                if self.callbacks.may_stop:
                    slot.worker.send(should_continue)
            case Done(_, result, failure, room):
                self.devices.measured(slot.number, room)
                slot.task, slot.due = None, math.inf
                if failure is not None:  # its memory or its device may be unusable now
                    self._remove(slot)
                return Outcome(job, result, failure)
        return None

    def _worker_died(self, slot: _Slot[J, W], how: str) -> Outcome[J, object] | None:
        """Return the outcome of a dead worker's job; a job that it had not begun goes to the next worker."""
        self._remove(slot)
        if slot.task is not None and slot.has_started:
            job: J = slot.task.job
            if slot.is_overdue:
                return Outcome(job, None, timeout_message(self.job_timeout_s or 0.0))
            return Outcome(job, None, f"its worker died ({how})", worker_died=True)
        if slot.task is not None:
            self.waiting.insert(0, _Waiting(slot.task.job, has_begun=True))
        self.n_failed_starts += 1
        if self.n_failed_starts >= MAX_FAILED_STARTS:
            raise WorkerError(
                f"{self.n_failed_starts} workers in a row died before they began a job ({how}). See their output."
            )
        return None

    def _remove(self, slot: _Slot[J, W]) -> None:
        self.slots.remove(slot)
        self.devices.left(slot.number)
        slot.worker.kill()
        self.workers.join([slot.worker])
