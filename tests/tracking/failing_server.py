"""A real MLflow server that is made to fail while a stage runs, and what it has of the stage's runs afterwards."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fault_proxy import FaultProxy

from finetune_alf.tracking import EpochRecord, Metric, RunRecord
from finetune_alf.tracking import mirror as mirrors
from finetune_alf.tracking.mirror import Waiting, end_mirrors, free_mirror
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.orders import Follow
from finetune_alf.tracking.replay import NoProgress, finish_spools
from finetune_alf.tracking.spool import new_spool, spools
from finetune_alf.tracking.store import tracking_uri

START_TIMEOUT_S = 240
SLOW_CALL_S = 5.0


class Server:
    """`mlflow server` on a port, with its store; it can be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", tracking_uri(self.root), "--artifacts-destination", str(self.root / "files")]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.root, start_new_session=True
        )

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def tracker(self) -> MlflowTracker:
        """A tracker that reaches the server without the proxy."""
        return open_tracker(self.root, f"http://127.0.0.1:{self.port}")

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.tracker()
                return
            except Exception:
                assert time.monotonic() < deadline
                time.sleep(0.5)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(root: Path) -> Iterator[Server]:
    """Start a server on the store of a folder, wait for it, and kill it at the end."""
    server = Server(root)
    try:
        server.wait()
        yield server
    finally:
        server.kill()


def open_tracker(root: Path, uri: str) -> MlflowTracker:
    return MlflowTracker(root, uri, "mine", "small")


@dataclass(frozen=True)
class Fault:
    """What happens to a server at one trial, and how a stage's start meets it."""

    begin: Callable[[Server, FaultProxy], object]
    is_at_start: bool = False
    is_mended_meanwhile: bool = False


FAULTS = {
    "down": Fault(lambda server, proxy: proxy.cut()),
    "down_from_the_start": Fault(lambda server, proxy: proxy.cut(), is_at_start=True),
    "stopped": Fault(lambda server, proxy: server.signal(signal.SIGSTOP)),
    "slow": Fault(lambda server, proxy: setattr(proxy, "delay_s", SLOW_CALL_S)),
    "killed_and_back": Fault(lambda server, proxy: server.kill(), is_mended_meanwhile=True),
}


def mend(server: Server, proxy: FaultProxy) -> None:
    """Undo each of the faults."""
    proxy.is_down, proxy.delay_s = False, 0.0
    server.signal(signal.SIGCONT)
    if server.process.poll() is not None:
        server.start()


@dataclass(frozen=True)
class Stage:
    """A stage of fits that take a time, each with a point of loss an epoch and one of its cost."""

    key: str
    n_trials: int = 40
    n_epochs: int = 15
    fit_s: float = 0.05

    @property
    def n_points(self) -> int:
        """The points of all runs, the parent's one among them."""
        return self.n_trials * (self.n_epochs + 1) + 1

    def losses(self, number: int) -> tuple[Metric, ...]:
        return tuple(
            Metric("train/loss", 1 / (1 + epoch), epoch, number * 1_000 + epoch) for epoch in range(self.n_epochs)
        )

    def record(self, number: int) -> RunRecord:
        points = (*self.losses(number), Metric("cost/seconds", 1.0, 0, number))
        key, name = f"{self.key}/{number}", f"trial {number}"
        return RunRecord(key, name, number, number + 1, metrics=points, artifacts={"a.json": b"{}"})


@dataclass
class Times:
    """Seconds that a stage took: the longest record of a trial, all of them with their fits, and its end."""

    longest_s: float = 0.0
    trials_s: float = 0.0
    end_s: float = 0.0


@dataclass
class Ended:
    """What a stage left to be written, and its times."""

    waiting: Waiting | None = None
    times: Times = field(default_factory=Times)


def run_stage(
    stage: Stage, folder: Path, uri: str, at: Callable[[int], None] = lambda number: None, *, is_loaded: bool = True
) -> Ended:
    """Do what a stage does, with a call before each trial, the first once MLflow `is_loaded`."""
    ended, key = Ended(), stage.key
    with new_spool(folder, key) as spool:
        mirror = free_mirror()
        spool.start_parent_run(key, "study tiny", {})
        mirror.follow(Follow(str(spool.path), uri, "mine", "small"))
        deadline = time.monotonic() + mirrors.START_TIMEOUT_S
        while is_loaded and not mirror._is_ready:
            assert time.monotonic() < deadline
            mirror.check()
            time.sleep(0.05)
        begun = time.monotonic()
        for number in range(stage.n_trials):
            at(number)
            started = time.monotonic()
            for epoch, metric in enumerate(stage.losses(number)):
                spool.log_epoch(key, EpochRecord(f"{key}/{number}", f"trial {number}", number, epoch, (metric,)))
            spool.log_run(key, stage.record(number))
            mirror.check()
            ended.times.longest_s = max(ended.times.longest_s, time.monotonic() - started)
            time.sleep(stage.fit_s)  # a fit, so that calls are made while the stage goes on
        ended.times.trials_s = time.monotonic() - begun
        spool.end_parent_run(key, "FINISHED", {"score": 0.5}, at_ms=5)
        started = time.monotonic()
        ended.waiting = mirror.close(spool, until_written=False)
        ended.times.end_s = time.monotonic() - started
    return ended


def run_stage_through(fault: Fault, stage: Stage, folder: Path, server: Server, proxy: FaultProxy) -> Ended:
    """Run a stage during which the server fails, mend the server, and write what still waits."""
    begin_at = 0 if fault.is_at_start else stage.n_trials // 4
    mended_at = 3 * stage.n_trials // 4 if fault.is_mended_meanwhile else None

    def at(number: int) -> None:
        if number == begin_at:
            fault.begin(server, proxy)
        if number == mended_at:
            mend(server, proxy)

    end_mirrors()
    open_tracker(server.root, proxy.uri)
    ended = run_stage(stage, folder, proxy.uri, at, is_loaded=not fault.is_at_start)
    mend(server, proxy)
    server.wait()
    refusals = finish_spools(spools(folder), lambda: open_tracker(server.root, proxy.uri), NoProgress())
    assert (refusals.n, spools(folder)) == (0, [])
    return ended


@dataclass(frozen=True)
class Differences:
    """How many runs and points are missing or there twice, and how many runs have not finished."""

    runs: int
    unfinished: int
    points: int


def differences(server: Server, stage: Stage) -> Differences:
    """Compare what the server has of a stage with what the stage recorded."""
    tracker = server.tracker()
    found: list[Any] = tracker.client.search_runs(
        [tracker.experiment_id], f"tags.`alf.key` LIKE 'small/{stage.key}%'", max_results=1000
    )
    runs = Counter(run.data.tags["alf.key"] for run in found)
    wanted = Counter([f"small/{stage.key}", *(f"small/{stage.key}/{n}" for n in range(stage.n_trials))])
    points: Counter[tuple[str, str, int]] = Counter()
    for run in found:
        for name in run.data.metrics:
            history = tracker.client.get_metric_history(run.info.run_id, name)
            points.update((run.data.tags["alf.key"], name, point.step) for point in history)
    expected = Counter({(f"small/{stage.key}", "score", 0): 1})
    for number in range(stage.n_trials):
        key = f"small/{stage.key}/{number}"
        expected.update((key, metric.name, metric.step) for metric in stage.record(number).metrics)
    unfinished = sum(run.info.status != "FINISHED" for run in found)
    return Differences(_apart(runs, wanted), unfinished, _apart(points, expected))


def _apart(found: Counter[Any], wanted: Counter[Any]) -> int:
    return (found - wanted).total() + (wanted - found).total()
