"""PoolExecutor: jobs in worker processes, each of which loads what it needs once. The worker's side is `worker.py`."""

import logging
import multiprocessing
import os
import pickle
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import Any, Generic

from finetune_alf.errors import WorkerError
from finetune_alf.execute.jobs import J, OnReport, Outcome, R, Work
from finetune_alf.execute.worker import Done, LoadFailed, Progress, Ready, serve

MAX_ATTEMPTS = 3
"""A job fails after this many workers have died while they ran it."""

MAX_FAILED_STARTS = 3
"""The run fails after this many workers in a row have died before they were ready."""

JOIN_S = 5.0

logger = logging.getLogger(__name__)


@dataclass
class _PendingJob(Generic[J]):
    job: J
    n_attempts: int = 0


@dataclass
class _Worker(Generic[J]):
    process: SpawnProcess
    pipe: connection.Connection
    is_ready: bool = False
    pending: _PendingJob[J] | None = None


class PoolExecutor:
    """Runs up to `n_workers` jobs at once, each worker a spawned process (CUDA and threads do not survive a fork).

    When a worker dies, its job is retried in a new one, up to three attempts. Workers start when jobs wait for them,
    end with the run, and die with this process.
    """

    def __init__(self, n_workers: int) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers: must be at least 1, but got {n_workers}.")
        self._n_workers = n_workers

    @property
    def n_workers(self) -> int:
        """The largest number of worker processes."""
        return self._n_workers

    def run(self, jobs: Iterator[J], work: Work[J, R], on_report: OnReport | None = None) -> Generator[Outcome[J, R]]:
        """Yield outcomes in the order in which the jobs finish; WorkerError when workers cannot start."""
        pool: _Pool[J, R] = _Pool(iter(jobs), pickle.dumps(work), self._n_workers, on_report)
        try:
            yield from pool.outcomes()
        finally:
            pool.close()


@dataclass
class _Pool(Generic[J, R]):
    """The workers of one run, and the jobs to retry because their workers died."""

    jobs: Iterator[J]
    work: bytes
    n_workers: int
    on_report: OnReport | None
    workers: list[_Worker[J]] = field(default_factory=list)
    retries: list[_PendingJob[J]] = field(default_factory=list)
    n_failed_starts: int = 0

    def outcomes(self) -> Iterator[Outcome[J, R]]:
        self._dispatch()
        while busy := {worker.pipe: worker for worker in self.workers if worker.pending is not None}:
            for pipe in connection.wait(list(busy)):
                outcome = self._receive(busy[pipe])  # type: ignore[index]  # sockets, on other systems
                if outcome is not None:
                    yield outcome
            self._dispatch()

    def close(self) -> None:
        """Stop idle workers, kill busy ones, and wait for all."""
        for worker in self.workers:
            if worker.pending is not None:
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
            pending = self._next_job()
            if pending is None:
                return
            if worker is None:
                worker = _start_worker(self.work)
                self.workers.append(worker)
            worker.pending = pending
            with suppress(OSError):  # the worker has died, which `_receive` will notice
                worker.pipe.send((pending.job,))

    def _idle_worker(self) -> _Worker[J] | None:
        for worker in [worker for worker in self.workers if worker.pending is None]:
            if worker.process.is_alive():
                return worker
            self._remove(worker)
        return None

    def _next_job(self) -> _PendingJob[J] | None:
        if self.retries:
            return self.retries.pop(0)
        for job in self.jobs:
            return _PendingJob(job)
        return None

    def _receive(self, worker: _Worker[J]) -> Outcome[J, R] | None:
        """Handle one message of a busy worker."""
        pending = worker.pending
        assert pending is not None  # noqa: S101
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            return self._worker_died(worker, pending)
        match message:
            case Done(result, failure):
                worker.pending = None
                return Outcome(pending.job, result, failure, pending.n_attempts + 1)
            case LoadFailed(reason):
                raise WorkerError(f"A worker process cannot load its work: {reason}")
            case Ready():
                worker.is_ready, self.n_failed_starts = True, 0
            case Progress(content):
                should_continue = self.on_report is None or self.on_report(pending.job, content)
                with suppress(OSError):
                    worker.pipe.send(should_continue)
        return None

    def _worker_died(self, worker: _Worker[J], pending: _PendingJob[J]) -> Outcome[J, R] | None:
        """Retry a dead worker's job, or return its failure."""
        exit_code = self._remove(worker)
        if worker.is_ready:
            pending.n_attempts += 1
            logger.info("A worker died (exit code %s) in attempt %d.", exit_code, pending.n_attempts)
        else:
            self._count_failed_start(exit_code)
        if pending.n_attempts < MAX_ATTEMPTS:
            self.retries.append(pending)
            return None
        failure = f"its worker died {pending.n_attempts} times (exit code {exit_code})"
        return Outcome(pending.job, None, failure, pending.n_attempts)

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
