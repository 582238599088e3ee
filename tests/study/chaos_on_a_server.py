"""A study on a PostgreSQL server under kills of coordinator and workers, and immediate restarts of the server.

`run_chaos` runs `main` in a process of its own: it imports once, forks a child for each start of the study, and prints
what it counted as JSON. All processes append to one file `events`: the start of each fit with its process, and each
trial that was committed with its score.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fake_fits import Job
from fake_studies import FakeFit, LightPool, study, study_spec

from finetune_alf.execute import Executor, SerialExecutor
from finetune_alf.study.databases import postgres  # noqa: F401 - once for all children
from finetune_alf.study.server import StudyServer
from finetune_alf.study.spec import StudySpec
from finetune_alf.train.result import EpochMetrics, FitResult
from postgres_server import PostgresServer, find_programs

COORDINATOR_FRAC = 0.2
"""So many of the kills are of the coordinator, the others of a worker."""


@dataclass
class Counts:
    """What happened: `twice` are trials that were fitted again after they had been committed."""

    seed: int
    n_trials: int = 0
    n_starts: int = 0
    n_coordinator_kills: int = 0
    n_worker_kills: int = 0
    n_restarts: int = 0
    n_fits: int = 0
    lost: list[int] = field(default_factory=list)
    twice: list[int] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class LoggedFit:
    """A FakeFit that notes its start, and its process."""

    events: Path
    epoch_s: float

    def __call__(self, job: Job, report: Callable[[EpochMetrics], bool]) -> FitResult:
        append(self.events, "fit", int(job.key.rpartition("/")[2]), os.getpid())
        return FakeFit(self.epoch_s)(job, report)


def spec_of(n_trials: int) -> StudySpec:
    return study_spec(sampler="random", n_trials=n_trials)


def run_chaos(
    root: Path,
    server: PostgresServer,
    *,
    project: str,
    n_workers: int,
    n_trials: int,
    n_restarts: int,
    max_kills: int,
    seed: int,
    period_s: float,
    epoch_s: float,
) -> Counts:
    """Run the study of `project` in `root`; a kill comes every `period_s` seconds, `epoch_s` are those of an epoch.

    Raises RuntimeError, with the end of its output, where it fails.
    """
    arguments = (project, n_workers, n_trials, n_restarts, max_kills, seed, period_s, epoch_s)
    paths = [*sys.path, str(Path(__file__).parent), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    code = "import chaos_on_a_server; chaos_on_a_server.main()"
    command = [sys.executable, "-c", code, str(root), str(server.folder), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-5000:])
    return Counts(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("root", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("project")
    for name in ("n_workers", "n_trials", "n_restarts", "max_kills", "seed"):
        parser.add_argument(name, type=int)
    for name in ("period_s", "epoch_s"):
        parser.add_argument(name, type=float)
    args = parser.parse_args()
    args.root.mkdir(parents=True, exist_ok=True)
    for name, module in list(sys.modules.items()):
        # these kills come from outside the fits
        for limit in ("MAX_ATTEMPTS", "MAX_FAILURES_IN_A_ROW", "MAX_FAILED_STARTS"):
            if name.startswith("finetune_alf.") and hasattr(module, limit):
                setattr(module, limit, 10**6)
    programs = find_programs()
    assert programs is not None
    print(json.dumps(asdict(_Chaos(args, PostgresServer(args.folder, programs)).run())))


class _Chaos:
    def __init__(self, args: argparse.Namespace, server: PostgresServer) -> None:
        self.args, self.server, self.events = args, server, args.root / "events"
        self.rng, self.counts = random.Random(args.seed), Counts(args.seed)
        self.child = self.n_before = 0

    def run(self) -> Counts:
        started = time.monotonic()
        self._start()
        while not self._has_ended(self.args.period_s):
            self._restart_server_when_due()
            self._kill_one()
        self.counts.seconds = round(time.monotonic() - started, 1)
        return self._counted()

    def _start(self) -> None:
        self.counts.n_starts += 1
        self.child = os.fork()
        if self.child == 0:
            _run_study(self.args, self.server.url, self.events)

    def _has_ended(self, seconds: float) -> bool:
        """Wait for the coordinator's end for so long; return whether it has ended. A failure ends all."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(self.child, os.WNOHANG)
            if done:
                if os.waitstatus_to_exitcode(status):
                    raise SystemExit(f"the study failed in {self.args.root}")
                return True
            time.sleep(0.01)
        return False

    def _restart_server_when_due(self) -> None:
        due = self.args.n_trials * (self.counts.n_restarts + 1) // (self.args.n_restarts + 1)
        if self.counts.n_restarts < self.args.n_restarts and self._n_committed() >= due:
            self.server.stop("immediate")
            self.server.start()
            self.counts.n_restarts += 1

    def _kill_one(self) -> None:
        """Kill the coordinator or a worker in a fit; only after a commit, so that a slow machine makes progress too."""
        n_committed = self._n_committed()
        if n_committed == self.n_before or self.n_kills >= self.args.max_kills:
            return
        self.n_before = n_committed
        workers = _children(self.child) & {pid for kind, _, pid in read_events(self.events) if kind == "fit"}
        if not workers or self.rng.random() < COORDINATOR_FRAC:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.counts.n_coordinator_kills += 1
            self._start()
        else:
            os.kill(self.rng.choice(sorted(workers)), signal.SIGKILL)
            self.counts.n_worker_kills += 1

    @property
    def n_kills(self) -> int:
        return self.counts.n_coordinator_kills + self.counts.n_worker_kills

    def _n_committed(self) -> int:
        return len({number for kind, number, _ in read_events(self.events) if kind == "committed"})

    def _counted(self) -> Counts:
        scores: dict[int, float] = {}
        for kind, number, score in read_events(self.events):
            if kind == "fit":
                self.counts.n_fits += 1
                self.counts.twice += [number] if number in scores else []
            else:
                self.counts.lost += [number] if scores.setdefault(number, score) != score else []
        self.counts.lost += sorted(set(range(self.args.n_trials)) - set(scores))
        self.counts.n_trials = len(scores)
        return self.counts


def _run_study(args: argparse.Namespace, url: str, events: Path) -> None:
    executor: Executor = SerialExecutor() if args.n_workers == 1 else LightPool(args.n_workers)
    try:
        study(
            args.root,
            spec_of(args.n_trials),
            LoggedFit(events, args.epoch_s),
            executor,
            server=StudyServer(url, args.project),
            on_trial=lambda record: append(events, "committed", record.number, record.score),
        )
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def append(path: Path, kind: str, number: int, value: float | None = None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, (json.dumps([kind, number, value]) + "\n").encode())
    os.close(handle)


def read_events(path: Path) -> list[tuple[str, int, float]]:
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def _children(pid: int) -> set[int]:
    """Return the child processes of a coordinator."""
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
