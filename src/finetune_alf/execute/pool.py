"""PoolExecutor: jobs in worker processes, each of which loads what it needs once. Their side is `worker.py`."""

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

from finetune_alf.execute.jobs import J, OnMessage, Outcome, R, Work, WorkerError
from finetune_alf.execute.worker import serve

MAX_ATTEMPTS = 3
"""How often a job is given to a worker before its workers' deaths count as its own failure."""

MAX_FALSE_STARTS = 3
"""How many workers in a row may die before they are ready."""

JOIN_S = 5.0

logger = logging.getLogger(__name__)


@dataclass
class _Task(Generic[J]):
    job: J
    n_attempts: int = 0


@dataclass
class _Worker(Generic[J]):
    process: SpawnProcess
    pipe: connection.Connection
    ready: bool = False
    task: _Task[J] | None = None


class PoolExecutor:
    """Runs up to `n_workers` jobs at once, each worker a fresh process (spawned: CUDA and threads bear no fork).

    A worker that dies costs its job an attempt: the same job goes to a new worker, three times at most. Workers start
    when a job waits for them, die with this process, and end when the run does.
    """

    def __init__(self, n_workers: int) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers: must be at least 1, but got {n_workers}.")
        self._n_workers = n_workers

    @property
    def n_workers(self) -> int:
        """How many worker processes there are at most."""
        return self._n_workers

    def run(self, jobs: Iterator[J], work: Work[J, R], on_message: OnMessage | None = None) -> Generator[Outcome[J, R]]:
        """Yield outcomes in the order in which the jobs end; WorkerError when workers cannot start."""
        pool: _Pool[J, R] = _Pool(iter(jobs), pickle.dumps(work), self._n_workers, on_message)
        try:
            yield from pool.outcomes()
        finally:
            pool.close()


@dataclass
class _Pool(Generic[J, R]):
    """The workers of one run and the jobs that wait for them."""

    jobs: Iterator[J]
    work: bytes
    n_workers: int
    on_message: OnMessage | None
    workers: list[_Worker[J]] = field(default_factory=list)
    again: list[_Task[J]] = field(default_factory=list)  # their workers died
    n_false_starts: int = 0

    def outcomes(self) -> Iterator[Outcome[J, R]]:
        self._hand_out()
        while busy := {worker.pipe: worker for worker in self.workers if worker.task is not None}:
            for pipe in connection.wait(list(busy)):
                outcome = self._listen(busy[pipe])  # type: ignore[index]  # sockets, on other systems
                if outcome is not None:
                    yield outcome
            self._hand_out()

    def close(self) -> None:
        """Let idle workers go, end busy ones, and wait for all."""
        for worker in self.workers:
            if worker.task is not None:
                worker.process.kill()
            else:
                with suppress(OSError):
                    worker.pipe.send(None)
            worker.pipe.close()
        for worker in self.workers:
            _bury(worker.process)

    def _hand_out(self) -> None:
        while (worker := self._idle()) is not None or len(self.workers) < self.n_workers:
            task = self._next_task()
            if task is None:
                return
            if worker is None:
                worker = _start(self.work)
                self.workers.append(worker)
            worker.task = task
            with suppress(OSError):  # it is dead: listening will find that out
                worker.pipe.send((task.job,))

    def _idle(self) -> _Worker[J] | None:
        for worker in [worker for worker in self.workers if worker.task is None]:
            if worker.process.is_alive():
                return worker
            self._remove(worker)
        return None

    def _next_task(self) -> _Task[J] | None:
        if self.again:
            return self.again.pop(0)
        for job in self.jobs:
            return _Task(job)
        return None

    def _listen(self, worker: _Worker[J]) -> Outcome[J, R] | None:
        task = worker.task
        assert task is not None  # noqa: S101  (only busy workers are listened to)
        try:
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):
            return self._lost(worker, task)
        if kind == "done":
            worker.task = None
            result, failure = content
            return Outcome(task.job, result, failure, task.n_attempts + 1)
        if kind == "unfit":
            raise WorkerError(f"worker: must be able to load its work, but got {content}")
        if kind == "ready":
            worker.ready, self.n_false_starts = True, 0
        else:
            go_on = self.on_message is None or self.on_message(task.job, content)
            with suppress(OSError):
                worker.pipe.send(go_on)
        return None

    def _lost(self, worker: _Worker[J], task: _Task[J]) -> Outcome[J, R] | None:
        """Take a dead worker's job back, or give it up."""
        exit_code = self._remove(worker)
        if worker.ready:
            task.n_attempts += 1
            logger.info("A worker died (exit code %s) in attempt %d.", exit_code, task.n_attempts)
        else:
            self._count_false_start(exit_code)
        if task.n_attempts < MAX_ATTEMPTS:
            self.again.append(task)
            return None
        failure = f"its worker died {task.n_attempts} times (exit code {exit_code})"
        return Outcome(task.job, None, failure, task.n_attempts)

    def _count_false_start(self, exit_code: int | None) -> None:
        self.n_false_starts += 1
        if self.n_false_starts >= MAX_FALSE_STARTS:
            raise WorkerError(
                f"worker: must start, but {self.n_false_starts} in a row died before they were ready "
                f"(exit code {exit_code}). See what they wrote to the terminal."
            )

    def _remove(self, worker: _Worker[J]) -> int | None:
        self.workers.remove(worker)
        worker.pipe.close()
        return _bury(worker.process)


def _start(work: bytes) -> _Worker[Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, os.getpid(), work), daemon=True)
    process.start()
    theirs.close()  # else the end of the worker would not end the pipe
    return _Worker(process, ours)


def _bury(process: SpawnProcess) -> int | None:
    process.join(JOIN_S)
    if process.is_alive():
        process.kill()
        process.join()
    exit_code = process.exitcode
    process.close()
    return exit_code
