"""PoolExecutor: jobs in worker processes, each of which loads what it needs once. The worker's side is `worker.py`."""

import math
import multiprocessing
import os
import pickle
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import Any, Generic

from finetune_alf.errors import WorkerError
from finetune_alf.execute.jobs import J, OnReport, Outcome, R, Work
from finetune_alf.execute.timeout import timeout_message
from finetune_alf.execute.worker import Done, LoadFailed, Progress, Ready, serve

MAX_FAILED_STARTS = 3
"""The run fails after this many workers in a row have died before they were ready."""

JOIN_S = 5.0

START_TIMEOUT_S = 600.0
"""How long a worker may take to load its work."""


@dataclass
class _Worker(Generic[J]):
    """A worker process: its job in a tuple of one, None while it is idle, and when the job's time is over."""

    process: SpawnProcess
    pipe: connection.Connection
    is_ready: bool = False
    sent: tuple[J] | None = None
    due: float = math.inf
    is_overdue: bool = False


class PoolExecutor:
    """Runs up to `n_workers` jobs at once, each worker a spawned process (CUDA and threads do not survive a fork).

    When a worker dies, its job's outcome says so. The next job gets a new worker then, and after a job that failed.
    Workers start when jobs wait for
    them, end with the run, and die with this process. One whose job runs longer than `job_timeout_s` is killed; the
    caller's own time, in `on_report`, does not count.
    """

    def __init__(self, n_workers: int, job_timeout_s: float | None = None) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers: must be at least 1, but got {n_workers}.")
        self._n_workers, self.job_timeout_s = n_workers, job_timeout_s

    @property
    def n_workers(self) -> int:
        """The largest number of worker processes."""
        return self._n_workers

    def alone(self) -> "PoolExecutor":
        """Return a pool of one worker."""
        return self if self._n_workers == 1 else PoolExecutor(1, self.job_timeout_s)

    def run(self, jobs: Iterator[J], work: Work[J, R], on_report: OnReport | None = None) -> Generator[Outcome[J, R]]:
        """Yield outcomes in the order in which the jobs finish; WorkerError when workers cannot start."""
        pool: _Pool[J, R] = _Pool(iter(jobs), pickle.dumps(work), self._n_workers, self.job_timeout_s, on_report)
        try:
            yield from pool.outcomes()
        finally:
            pool.close()


@dataclass
class _Pool(Generic[J, R]):
    """The workers of one run, and the jobs whose workers died before they began them."""

    jobs: Iterator[J]
    work: bytes
    n_workers: int
    job_timeout_s: float | None
    on_report: OnReport | None
    workers: list[_Worker[J]] = field(default_factory=list)
    returned: list[J] = field(default_factory=list)
    n_failed_starts: int = 0

    def outcomes(self) -> Iterator[Outcome[J, R]]:
        self._dispatch()
        while busy := {worker.pipe: worker for worker in self.workers if worker.sent is not None}:
            for pipe in connection.wait(list(busy), self._seconds_to_next_due()):
                outcome = self._receive(busy[pipe])  # type: ignore[index]  # sockets, on other systems
                if outcome is not None:
                    yield outcome
            self._kill_overdue()
            self._dispatch()

    def close(self) -> None:
        """Stop idle workers, kill busy ones, and wait for all."""
        for worker in self.workers:
            if worker.sent is not None:
                worker.process.kill()
            else:
                with suppress(OSError):
                    worker.pipe.send(None)
            worker.pipe.close()
        for worker in self.workers:
            _reap_worker(worker.process)

    def _dispatch(self) -> None:
        """Send jobs to idle and new workers."""
        while (worker := self._idle_worker()) is not None or len(self.workers) < self.n_workers:
            sent = self._next_job()
            if sent is None:
                return
            if worker is None:
                worker = _start_worker(self.work)
                self.workers.append(worker)
            worker.sent = sent
            self._start_clock(worker)
            with suppress(OSError):  # the worker has died, which `_receive` will notice
                worker.pipe.send(sent)

    def _start_clock(self, worker: _Worker[J]) -> None:
        timeout_s = (self.job_timeout_s or math.inf) if worker.is_ready else START_TIMEOUT_S
        worker.due = time.monotonic() + timeout_s

    def _seconds_to_next_due(self) -> float | None:
        due = min(worker.due for worker in self.workers)
        return None if due == math.inf else max(due - time.monotonic(), 0.0)

    def _kill_overdue(self) -> None:
        """Kill workers whose time is over and that have sent nothing; `_receive` then gets the end of their pipes."""
        for worker in self.workers:
            if worker.sent is not None and worker.due <= time.monotonic() and not worker.pipe.poll():
                worker.is_overdue = True
                worker.process.kill()

    def _idle_worker(self) -> _Worker[J] | None:
        for worker in [worker for worker in self.workers if worker.sent is None]:
            if worker.process.is_alive():
                return worker
            self._remove(worker)
        return None

    def _next_job(self) -> tuple[J] | None:
        if self.returned:
            return (self.returned.pop(0),)
        for job in self.jobs:
            return (job,)
        return None

    def _receive(self, worker: _Worker[J]) -> Outcome[J, R] | None:
        """Handle one message of a busy worker."""
        assert worker.sent is not None  # noqa: S101
        (job,) = worker.sent
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._worker_died(worker, job)
        match message:
            case Done(result, failure):
                worker.sent, worker.due = None, math.inf
                if failure is not None:  # its memory or its device may be unusable now
                    worker.process.kill()
                    self._remove(worker)
                return Outcome(job, result, failure)
            case LoadFailed(reason):
                raise WorkerError(f"A worker process cannot load its work: {reason}")
            case Ready():
                worker.is_ready, self.n_failed_starts = True, 0
                self._start_clock(worker)
            case Progress(content):
                before = time.monotonic()
                should_continue = self.on_report is None or self.on_report(job, content)
                worker.due += time.monotonic() - before
                with suppress(OSError):
                    worker.pipe.send(should_continue)
        return None

    def _worker_died(self, worker: _Worker[J], job: J) -> Outcome[J, R] | None:
        """Return the outcome of a dead worker's job; a job that it had not begun goes to the next worker."""
        exit_code = self._remove(worker)
        if worker.is_ready and worker.is_overdue:
            return Outcome(job, None, timeout_message(self.job_timeout_s or 0.0))
        if worker.is_ready:
            return Outcome(job, None, f"its worker died (exit code {exit_code})", worker_died=True)
        self.returned.append(job)
        self._count_failed_start(exit_code)
        return None

    def _count_failed_start(self, exit_code: int | None) -> None:
        self.n_failed_starts += 1
        if self.n_failed_starts >= MAX_FAILED_STARTS:
            raise WorkerError(
                f"{self.n_failed_starts} worker processes in a row died before they were ready "
                f"(exit code {exit_code}). See their output in the terminal."
            )

    def _remove(self, worker: _Worker[J]) -> int | None:
        self.workers.remove(worker)
        worker.pipe.close()
        return _reap_worker(worker.process)


def _start_worker(work: bytes) -> _Worker[Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, os.getpid(), work), daemon=True)
    process.start()
    theirs.close()  # otherwise the pipe would stay open when the worker dies
    return _Worker(process, ours)


def _reap_worker(process: SpawnProcess) -> int | None:
    """Wait for a process to end, kill it if it does not, and return its exit code."""
    process.join(JOIN_S)
    if process.is_alive():
        process.kill()
        process.join()
    exit_code = process.exitcode
    process.close()
    return exit_code
