"""RayExecutor: jobs in actors of a Ray cluster. The actor's side is `actor.py`; Ray's own retries are off."""

import pickle
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import ray
from ray import exceptions

from finetune_alf.errors import WorkerError
from finetune_alf.execute.dispatch import Dispatch
from finetune_alf.execute.jobs import NO_CALLBACKS, Callbacks, J, Jobs, Outcome, PortableWork, R, Work, reason
from finetune_alf.execute.messages import Done, Message, Placed, Progress, Started, Task
from finetune_alf.execute.parcels import Parcel
from finetune_alf.execute.ray.actor import Actor, versions
from finetune_alf.execute.ray.cluster import RayCluster, check_head, connect, is_head_lost, resources
from finetune_alf.execute.workers import WorkerDied

CHECK_S = 1.0
"""How often a waiting coordinator looks after the head and the resources."""

BEGIN_WAIT_S = 0.02
"""How long the coordinator waits for a task to begin: it does not go on before that is known, and the coordinator may
have an outcome to commit meanwhile, which takes about as long."""


class RayExecutor:
    """Runs up to `n_workers` jobs at once, each worker an actor with CPUs, and a part of a GPU, of its own.

    A worker that is lost with its process or its node costs its job, whose outcome says so. Workers start when jobs
    wait for them and end with the run. What jobs read is put into Ray's object store once for each digest, and sent to
    each worker once.
    """

    n_fused = 1

    def __init__(self, n_workers: int, job_timeout_s: float | None = None, cluster: RayCluster | None = None) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers: must be at least 1, but got {n_workers}.")
        self._n_workers, self.job_timeout_s, self.cluster = n_workers, job_timeout_s, cluster or RayCluster()

    @property
    def n_workers(self) -> int:
        """The largest number of actors."""
        return self._n_workers

    def alone(self) -> "RayExecutor":
        """Return an executor of one actor."""
        return self if self._n_workers == 1 else RayExecutor(1, self.job_timeout_s, self.cluster)

    def run(self, jobs: Jobs[J], work: Work[J, R], callbacks: Callbacks = NO_CALLBACKS) -> Generator[Outcome[J, R]]:
        """Yield outcomes in the order in which the jobs finish.

        Raises WorkerError when workers cannot start, resources do not come, versions differ, or the head is lost.
        """
        connect(self.cluster, self._n_workers)
        actors = _Actors(self.cluster, _StoredWork(work))
        dispatch: Dispatch[J, _ActorWorker] = Dispatch(jobs, actors, self._n_workers, self.job_timeout_s, callbacks)
        try:
            yield from cast("Iterator[Outcome[J, R]]", dispatch.outcomes())
        finally:
            dispatch.close()


@dataclass
class _StoredWork:
    """The work, pickled, and what its jobs read: put into the object store when the first job needs it."""

    work: Work[Any, Any]
    parcels: dict[str, tuple[str, Any]] = field(default_factory=dict)  # by key: the digest and Ray's reference

    def __post_init__(self) -> None:
        self.pickled = ray.put(pickle.dumps(self.work))

    def parcels_of(self, job: Any) -> dict[str, tuple[str, Any]]:
        if not isinstance(self.work, PortableWork):
            return {}
        files = self.work.files_of(job)
        for key in files.keys() - self.parcels.keys():
            parcel = Parcel(files[key])
            self.parcels[key] = (parcel.digest, ray.put(parcel.contents()))
        return {key: self.parcels[key] for key in files}


class _ActorWorker:
    """An actor, and the reference to its next message."""

    def __init__(self, actor: Any, stored: _StoredWork) -> None:
        self._actor, self._stored = actor, stored
        self.started, self.is_placed = time.monotonic(), False
        self.reference = actor.hello.remote()
        self._task: Task | None = None
        self._begun: Started | None = None  # received, and not yet handed on
        self._brought: set[str] = set()  # digests of the parcels that the actor has

    def send(self, message: Task | bool) -> None:
        if not isinstance(message, Task):
            self.reference = self._actor.answer.remote(message)
            return
        self._task, parcels = message, self._stored.parcels_of(message.job)
        digests = {key: digest for key, (digest, _) in parcels.items()}
        new = {digest: reference for digest, reference in parcels.values() if digest not in self._brought}
        self._brought |= new.keys()
        self.reference = self._actor.run.remote(message, digests, list(new), *new.values())
        if ray.wait([self.reference], timeout=BEGIN_WAIT_S)[0]:
            self._let_begin()

    def _let_begin(self) -> None:
        """Receive that the task begins, and let it; whatever else there is stays for `receive`."""
        with suppress(exceptions.RayError):
            message = pickle.loads(ray.get(self.reference))  # noqa: S301  (our own worker pickled it)
            if isinstance(message, Started):
                self._begun, self.reference = message, self._actor.listen.remote()

    @property
    def has_begun(self) -> bool:
        """Whether the start of a task was received and not yet handed on."""
        return self._begun is not None

    def receive(self) -> Message:
        if self._begun is not None:
            begun, self._begun = self._begun, None
            return begun
        try:
            received = ray.get(self.reference)
        except exceptions.RayTaskError as error:
            return self._failed(error)
        except exceptions.RayError as error:
            raise WorkerDied(_how_it_ended(error)) from None
        if not self.is_placed:
            check_versions(received, versions())
            self.is_placed, self.reference = True, self._actor.load.remote(self._stored.pickled)
            return Placed()
        message: Message = pickle.loads(received)  # noqa: S301  (our own worker pickled it)
        if isinstance(message, Started):
            self.reference = self._actor.listen.remote()
        elif isinstance(message, Progress) and self._task is not None and not self._task.may_stop:
            self.reference = self._actor.next_message.remote()
        return message

    def has_message(self) -> bool:
        return self.has_begun or bool(ray.wait([self.reference], timeout=0)[0])

    def kill(self) -> None:
        if not is_head_lost():
            ray.kill(self._actor)

    def close(self) -> None:
        self.kill()

    def _failed(self, error: exceptions.RayTaskError) -> Message:
        """Return the failure of a task that could not begin."""
        cause = error.cause if isinstance(error.cause, Exception) else error
        if self._task is None:
            raise WorkerError(f"A worker of the Ray cluster cannot start: {reason(cause)}")
        return Done(self._task.attempt, None, reason(cause))


class _Actors:
    """Starts actors."""

    start_timeout_s = float("inf")  # `_check_resources` says when to give up

    def __init__(self, cluster: RayCluster, stored: _StoredWork) -> None:
        self._cluster, self._stored = cluster, stored
        self._class = ray.remote(Actor)

    def start(self, number: int) -> _ActorWorker:
        options = self._class.options(
            num_cpus=self._cluster.n_cpus, num_gpus=self._cluster.n_gpus, max_restarts=0, max_task_retries=0
        )
        return _ActorWorker(options.remote(number), self._stored)

    def wait(self, workers: Sequence[_ActorWorker], timeout_s: float | None) -> Sequence[_ActorWorker]:
        check_head()  # each time, as actors of a lost head may go on sending messages
        if begun := [worker for worker in workers if worker.has_begun]:
            return begun
        by_reference = {worker.reference: worker for worker in workers}
        due = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = CHECK_S if due is None else min(CHECK_S, max(due - time.monotonic(), 0.0))
            ready, _ = ray.wait(list(by_reference), timeout=left, fetch_local=True)
            if ready or (due is not None and time.monotonic() >= due):
                return [by_reference[reference] for reference in ready]
            check_head()
            self._check_resources(workers)

    def join(self, workers: Sequence[_ActorWorker]) -> None:
        """Do nothing: a killed actor's resources are free when Ray has noticed."""

    def _check_resources(self, workers: Sequence[_ActorWorker]) -> None:
        """Raise WorkerError when no worker has got its resources in time."""
        waited = [time.monotonic() - worker.started for worker in workers if not worker.is_placed]
        if len(waited) < len(workers) or max(waited) < self._cluster.wait_s:
            return
        total, free = resources()
        requested = {"CPU": float(self._cluster.n_cpus), "GPU": float(self._cluster.n_gpus)}
        raise WorkerError(
            f"cannot place a worker: in {self._cluster.wait_s:g} s no node had {_listed(requested)} free. The cluster "
            f"has {_listed(total)}, of which {_listed(free)} are free. Lower compute.n_threads or compute.ray_gpus, "
            "raise compute.ray_wait_s, or add nodes."
        )


def _listed(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {n:g}" for name, n in found.items())


def check_versions(theirs: Mapping[str, str | None], ours: Mapping[str, str | None]) -> None:
    """Raise WorkerError where a node has other versions than this machine."""
    different = [f"{name} {theirs.get(name)} and not {ours[name]}" for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise WorkerError(
            f"A node of the Ray cluster must have the versions of this machine, but has {', '.join(different)}. "
            "Install the same requirements.lock on all of them."
        )


def _how_it_ended(error: exceptions.RayError) -> str:
    """Return the sentence of Ray's message that says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = next((line for line in lines if line.startswith("The actor is dead because")), lines[0])
    return f"{type(error).__name__}: {cause.partition('. ')[0]}"
