"""Kill a study and its workers at random moments, and start it again until it ends by itself.

Each start is a fork of this process, which has imported what it needs. A start acknowledges each trial after its commit
in a file that no study reads; what was acknowledged must be in the results.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finetune_alf.study.records import TrialRecord

MAX_STARTS = 1000
SURVIVAL_S = 2.0
"""How long a worker may outlive its coordinator, in seconds."""


@dataclass
class Kills:
    """What is left to kill, what was killed, the workers that lost their coordinator, and those that outlived it."""

    rng: random.Random
    latest_s: float
    """A kill at a random time comes at most so many seconds after the one before."""
    coordinators: int
    workers: int = 0
    on_kill: Callable[[], None] = lambda: None
    n_coordinators: int = 0
    n_workers: int = 0
    n_studies: int = 0
    n_orphaned: int = 0
    survivors: int = 0

    @property
    def are_left(self) -> bool:
        return self.coordinators + self.workers > self.n_coordinators + self.n_workers

    def is_for_worker(self, worker_pids: list[int]) -> bool:
        """Whether a worker is killed next: in proportion to the kills that are left."""
        workers, coordinators = self.workers - self.n_workers, self.coordinators - self.n_coordinators
        return bool(worker_pids) and self.rng.random() * (workers + coordinators) < workers


def fork(run: Callable[[], object]) -> int:
    """Run a function in a fork, which ends with exit code 0 or 1; return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def in_fork(run: Callable[[], object]) -> None:
    """Run a function in a fork to its end; what it imports is not imported here."""
    _, status = os.waitpid(fork(run), 0)
    assert os.waitstatus_to_exitcode(status) == 0


def kill_until_it_ends(start: Callable[[], object], root: Path, kills: Kills) -> None:
    """Fork `start`, which runs a study in `root`, and kill it and its workers until it ends by itself."""
    for _ in range(MAX_STARTS):
        if _ends(fork(start), root, kills):
            kills.n_studies += 1
            return
    raise AssertionError(f"{root}: no progress in {MAX_STARTS} starts")


def _ends(child: int, root: Path, kills: Kills) -> bool:
    workers: list[int] = []
    while kills.are_left and _is_running(child):
        _wait(root, kills, child)
        workers = worker_processes(child)
        if kills.is_for_worker(workers):
            os.kill(kills.rng.choice(workers), signal.SIGKILL)
            kills.n_workers += 1
            kills.on_kill()
        elif kills.n_coordinators < kills.coordinators:
            os.kill(child, signal.SIGKILL)
            break
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        kills.n_coordinators += 1
        kills.on_kill()
        kills.n_orphaned += len(workers)
        kills.survivors += len(alive_after(SURVIVAL_S, workers))
        return False
    assert code == 0, f"a study failed in {root}"
    return True


def _wait(root: Path, kills: Kills, child: int) -> None:
    """Wait until the kill: half of the time for a random time, else until one or two more trials are finished.

    The second way makes progress on slow machines too.
    """
    if kills.rng.random() < 0.5:
        time.sleep(kills.rng.uniform(0, kills.latest_s))
        return
    target = n_acknowledged(root) + kills.rng.choice((1, 2))
    while n_acknowledged(root) < target and _is_running(child):
        time.sleep(0.005)
    time.sleep(kills.rng.uniform(0, 0.1))


def _is_running(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def acknowledge(root: Path, record: TrialRecord) -> None:
    """Append a trial that is committed to the file of acknowledged trials."""
    line = json.dumps([record.number, record.score]) + "\n"
    handle = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, line.encode())
    os.close(handle)


def acknowledged(root: Path) -> set[tuple[int, float | None]]:
    """Return number and score of the acknowledged trials; each start acknowledges the finished ones again."""
    path = root / "acknowledged"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return {(number, score) for number, score in map(json.loads, lines)}


def n_acknowledged(root: Path) -> int:
    return len(acknowledged(root))


def allow_attempts(n_attempts: int) -> None:
    """Let trials and starts of workers have so many attempts: these kills do not come from the fits."""
    import finetune_alf.study.coordinator  # noqa: F401 - and what has the limits

    for name, module in list(sys.modules.items()):
        for limit in ("MAX_ATTEMPTS", "MAX_FAILED_STARTS"):
            if name.startswith("finetune_alf.") and hasattr(module, limit):
                setattr(module, limit, n_attempts)


def worker_processes(coordinator: int) -> list[int]:
    """Return the worker processes that a coordinator started."""
    return [pid for pid in _processes() if _parent(pid) == coordinator and _is_worker(pid)]


def orphaned_workers() -> list[int]:
    """Return the worker processes of this machine that are without a coordinator, or a child of this process."""
    return [pid for pid in _processes() if _parent(pid) in (1, os.getpid()) and _is_worker(pid)]


def alive_after(seconds: float, pids: list[int]) -> list[int]:
    """Return those of the processes that still run after some seconds; return at once when none is left."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if _parent(pid) is not None]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int | None:
    """Return the parent of a process; None where it is gone or a zombie."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def _is_worker(pid: int) -> bool:
    try:
        return b"multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
