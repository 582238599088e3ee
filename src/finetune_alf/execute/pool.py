"""PoolExecutor: jobs in worker processes of this machine, each of which loads what it needs once."""

import multiprocessing
import os
import pickle
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from typing import Any, cast

from finetune_alf.execute.devices import SharedDevices
from finetune_alf.execute.dispatch import START_TIMEOUT_S, Dispatch
from finetune_alf.execute.jobs import NO_CALLBACKS, Callbacks, J, Jobs, Outcome, R, Work
from finetune_alf.execute.messages import Message, Task
from finetune_alf.execute.worker import serve_process
from finetune_alf.execute.workers import WorkerDied

JOIN_S = 5.0


class PoolExecutor:
    """Runs up to `n_workers` jobs at once, each worker a spawned process (CUDA and threads do not survive a fork).

    When a worker dies, its job's outcome says so. The next job gets a new worker then, and after a job that failed.
    Workers start when jobs wait for them, end with the run, and die with this process. One whose job runs longer than
    `job_timeout_s` is killed; the caller's own time, in `on_report`, does not count. `n_devices` is the number of GPUs
    that workers share in turn, where a worker starts only if there is memory for it.
    """

    n_fused = 1

    def __init__(self, n_workers: int, job_timeout_s: float | None = None, n_devices: int | None = None) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers: must be at least 1, but got {n_workers}.")
        self._n_workers, self.job_timeout_s, self.n_devices = n_workers, job_timeout_s, n_devices

    @property
    def n_workers(self) -> int:
        """The largest number of worker processes."""
        return self._n_workers

    def alone(self) -> "PoolExecutor":
        """Return a pool of one worker."""
        return self if self._n_workers == 1 else PoolExecutor(1, self.job_timeout_s, self.n_devices)

    def run(self, jobs: Jobs[J], work: Work[J, R], callbacks: Callbacks = NO_CALLBACKS) -> Generator[Outcome[J, R]]:
        """Yield outcomes in the order in which the jobs finish; WorkerError when workers cannot start."""
        workers = _Processes(pickle.dumps(work))
        devices = SharedDevices(self.n_devices)
        dispatch: Dispatch[J, _Process] = Dispatch(
            jobs, workers, self._n_workers, self.job_timeout_s, callbacks, devices
        )
        try:
            yield from cast("Iterator[Outcome[J, R]]", dispatch.outcomes())
        finally:
            dispatch.close()


class _Process:
    """A worker process and the pipe to it."""

    def __init__(self, work: bytes, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve_process, args=(theirs, os.getpid(), work, number), daemon=True
        )
        self.process.start()
        theirs.close()  # otherwise the pipe would stay open when the worker dies

    def send(self, message: Task | bool | None) -> None:
        with suppress(OSError):  # it has died, which `receive` will notice
            self.pipe.send(message)

    def receive(self) -> Message:
        try:
            return cast(Message, self.pipe.recv())
        except (EOFError, OSError):
            self.process.join(JOIN_S)
            raise WorkerDied(f"exit code {self.process.exitcode}") from None

    def has_message(self) -> bool:
        return self.pipe.poll()

    def kill(self) -> None:
        self.process.kill()

    def close(self) -> None:
        self.send(None)


class _Processes:
    """Starts processes."""

    start_timeout_s = START_TIMEOUT_S

    def __init__(self, work: bytes) -> None:
        self._work = work

    def start(self, number: int) -> _Process:
        return _Process(self._work, number)

    def wait(self, workers: Sequence[_Process], timeout_s: float | None) -> Sequence[_Process]:
        by_pipe: dict[Any, _Process] = {worker.pipe: worker for worker in workers}
        return [by_pipe[pipe] for pipe in connection.wait(list(by_pipe), timeout_s)]

    def join(self, workers: Sequence[_Process]) -> None:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            _reap(worker.process)


def _reap(process: SpawnProcess) -> None:
    """Wait for a process to end, and kill it if it does not."""
    process.join(JOIN_S)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()
