"""What a spool holds reaches a store once, whatever happens to the store, the stage and the file."""

import fcntl
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from finetune_alf.errors import TrackingError
from finetune_alf.tracking import EpochRecord, MemoryTracker, Metric, RunRecord, Tracker
from finetune_alf.tracking.memory import MemoryRun
from finetune_alf.tracking.record import RunStatus
from finetune_alf.tracking.replay import MAX_REFUSALS, RETRY_DELAY_S, NoProgress, Refusals, Replay, finish_spools
from finetune_alf.tracking.spool import SpoolReader, new_spool, spools
from finetune_alf.tracking.views import Columns

KEY = "study/tiny/0123"


def records(n: int) -> list[RunRecord]:
    metrics = (Metric("loss", 0.1, 0, 1), Metric("nan", float("inf"), 1, 2))
    return [
        RunRecord(
            f"{KEY}/{number}", f"trial {number}", number, number + 1, metrics=metrics, artifacts={"a": b"\x00\xff"}
        )
        for number in range(n)
    ]


def epoch(number: int, trial: int = 0) -> EpochRecord:
    metric = Metric("loss", 0.5, number, 1)
    return EpochRecord(f"{KEY}/{trial}", f"trial {trial}", 10, number, (metric,), {"rate": "1"}, {"alf.trial": "0"})


class Watched:
    """A Progress that waits for nothing and keeps what it was told; it closes after `n_waits` waits."""

    def __init__(self, n_waits: float = float("inf")) -> None:
        self.n_waits, self.waits, self.reasons, self.position = n_waits, list[float](), list[str](), 0

    @property
    def is_closing(self) -> bool:
        return len(self.waits) >= self.n_waits

    def wait(self, seconds: float) -> None:
        assert len(self.waits) < 100, "the replay does not end"
        self.waits.append(seconds)

    def written(self, position: int) -> None:
        self.position = position

    def failed(self, reason: str) -> None:
        self.reasons.append(reason)


class Unreliable(MemoryTracker):
    """A tracker that calls `trouble`, which may raise, before it uses its store."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        super().__init__()
        self.trouble = trouble

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        self.trouble(record.key)
        return super().log_run(parent_id, record)

    def find_run(self, key: str) -> str | None:
        self.trouble("search")
        return super().find_run(key)

    def end_parent_run(
        self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "", at_ms: int | None = None
    ) -> None:
        self.trouble(f"end {status}")
        super().end_parent_run(parent_id, status, metrics, note, at_ms)


def work(tracker: Tracker, n: int) -> None:
    """Do what a stage does: fits with epochs, one of which does not end, an artifact, and the end."""
    parent = tracker.start_parent_run(KEY, "study tiny", {"alf.study": "tiny"}, 1)
    tracker.show_columns(Columns(("head",)))
    for record in records(n):
        tracker.log_run(parent, record)
    tracker.log_epoch(parent, epoch(0, trial=n))
    tracker.log_artifact(tracker.find_run(f"{KEY}/0") or "", "b/c", b"\xfe")
    tracker.close_runs()
    tracker.end_parent_run(parent, "FINISHED", {"score": 0.5}, "a note", 9)


def spooled(folder: Path, n: int = 3) -> Path:
    with new_spool(folder, KEY) as spool:
        work(spool, n)
    return spool.path


def replayed(path: Path, tracker: MemoryTracker, progress: Watched | None = None) -> Refusals:
    return Replay(path, lambda: tracker, progress or Watched()).follow()


def by_key(tracker: MemoryTracker) -> dict[str, MemoryRun]:
    assert len({run.key for run in tracker.runs.values()}) == len(tracker.runs)
    return {run.key: run for run in tracker.runs.values()}


def test_a_replay_gives_the_runs_that_the_calls_themselves_give(tmp_path: Path) -> None:
    direct, later = MemoryTracker(), MemoryTracker()
    work(direct, 3)
    path = spooled(tmp_path)
    for _ in range(2):  # again changes nothing
        assert replayed(path, later) == Refusals()
        assert (by_key(later), later.columns) == (by_key(direct), direct.columns)


def test_nothing_is_lost_while_the_store_is_down_and_the_order_stays(tmp_path: Path) -> None:
    progress = Watched()

    def trouble(key: str) -> None:
        is_down = key == f"{KEY}/1" or (key == "search" and progress.reasons)
        if is_down and len(progress.waits) < 5:
            raise TrackingError("http://server: no response")

    tracker = Unreliable(trouble)
    assert replayed(spooled(tmp_path), tracker, progress) == Refusals()
    assert progress.waits == [RETRY_DELAY_S] * 5
    assert [run.name for run in tracker.runs.values()][:4] == ["study tiny", "trial 0", "trial 1", "trial 2"]


def test_a_store_that_cannot_be_opened_is_opened_later(tmp_path: Path) -> None:
    tracker, progress = MemoryTracker(), Watched()

    def open_tracker() -> Tracker:
        if len(progress.waits) < 3:
            raise TrackingError("no server")
        return tracker

    assert Replay(spooled(tmp_path), open_tracker, progress).follow() == Refusals()
    assert (progress.reasons, len(tracker.runs)) == (["no server"] * 3, 5)


def test_a_stage_that_does_not_wait_ends_the_replay_and_its_spool_stays(tmp_path: Path) -> None:
    path, progress = spooled(tmp_path), Watched(n_waits=1)

    def trouble(key: str) -> None:
        if key == f"{KEY}/1" or progress.reasons:
            raise TrackingError("http://server: no response")

    with pytest.raises(TrackingError, match="no response"):
        replayed(path, Unreliable(trouble), progress)
    after_trial_0 = SpoolReader(path).read()[2].end
    assert progress.position == after_trial_0
    assert replayed(path, later := MemoryTracker()) == Refusals()
    assert len(later.runs) == 5


def test_a_record_that_the_store_refuses_does_not_block_the_others(tmp_path: Path) -> None:
    def trouble(key: str) -> None:
        if key == f"{KEY}/1":
            raise ZeroDivisionError("an unexpected error")

    tracker, progress = Unreliable(trouble), Watched()
    assert replayed(spooled(tmp_path), tracker, progress) == Refusals(1, "an unexpected error")
    assert len(progress.waits) == MAX_REFUSALS - 1
    names = [run.name for run in tracker.runs.values()]
    assert names == ["study tiny", "trial 0", "trial 2", "trial 3"]
    assert tracker.runs["run-0"].status == "FINISHED"


def test_an_end_that_the_store_refuses_ends_the_replay_and_is_made_only_once(tmp_path: Path) -> None:
    ends = []

    def trouble(key: str) -> None:
        if key.startswith("end"):
            ends.append(key)
            raise ZeroDivisionError("an unexpected error")

    path, refused = spooled(tmp_path), Refusals(1, "an unexpected error")
    assert replayed(path, Unreliable(trouble)) == refused
    assert finish_spools([path], lambda: Unreliable(trouble), NoProgress()) == refused
    assert spools(tmp_path) == [path]
    assert ends == ["end FINISHED"] * (MAX_REFUSALS + 1)


def test_epochs_whose_fit_has_ended_are_left_out(tmp_path: Path) -> None:
    with new_spool(tmp_path, KEY) as spool:
        spool.start_parent_run(KEY, "study tiny", {})
        for number in range(5):
            spool.log_epoch(KEY, epoch(number))
        spool.log_run(KEY, records(1)[0])
        spool.end_parent_run(KEY, "FINISHED", {})
    replayed(spool.path, tracker := MemoryTracker())
    (run,) = [run for run in tracker.runs.values() if run.parent_id]
    assert (run.status, {metric.name for metric in run.metrics}) == ("FINISHED", {"loss", "nan"})


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_a_torn_last_line_of_a_killed_stage_is_left_out(tmp_path: Path, cut: int) -> None:
    with new_spool(tmp_path, KEY) as spool:
        spool.start_parent_run(KEY, "study tiny", {})
        for record in records(2):
            spool.log_run(KEY, record)
    data = spool.path.read_bytes()
    spool.path.write_bytes(data[:-cut])
    tracker = MemoryTracker()
    assert finish_spools(spools(tmp_path), lambda: tracker, Watched()) == Refusals()
    assert [run.name for run in tracker.runs.values()] == ["study tiny", "trial 0"]
    assert (tracker.runs["run-0"].status, spools(tmp_path)) == ("KILLED", [])


def test_a_damaged_line_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = spooled(tmp_path)
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3].replace(b"trial 1", b"trial 7")
    path.write_bytes(b"\n".join(lines))
    with caplog.at_level(logging.WARNING):
        replayed(path, tracker := MemoryTracker())
    assert f"{path}" in caplog.text
    assert "damaged" in caplog.text
    assert [run.name for run in tracker.runs.values()] == ["study tiny", "trial 0", "trial 2", "trial 3"]


def test_the_spool_of_a_stage_that_still_runs_is_passed_over(tmp_path: Path) -> None:
    ended = spooled(tmp_path)
    with new_spool(tmp_path, "register/tiny") as running:
        running.start_parent_run("register/tiny", "register tiny", {})
        tracker = MemoryTracker()
        assert spools(tmp_path) == [ended, running.path]
        finish_spools(spools(tmp_path), lambda: tracker, Watched())
        assert spools(tmp_path) == [running.path]
    assert tracker.find_run("register/tiny") is None


def test_runs_that_a_killed_stage_has_left_open_are_closed(tmp_path: Path) -> None:
    with new_spool(tmp_path, KEY) as spool:
        spool.start_parent_run(KEY, "study tiny", {})
        spool.log_run(KEY, records(1)[0])
        spool.log_epoch(KEY, epoch(0, trial=1))
    tracker = MemoryTracker()
    finish_spools(spools(tmp_path), lambda: tracker, Watched())
    assert [run.status for run in tracker.runs.values()] == ["KILLED", "FINISHED", "KILLED"]


def test_a_fit_that_begins_anew_replaces_what_its_first_attempt_left(tmp_path: Path) -> None:
    with new_spool(tmp_path, KEY) as killed:
        killed.start_parent_run(KEY, "study tiny", {})
        for number in range(3):
            killed.log_epoch(KEY, epoch(number))
    tracker = MemoryTracker()
    finish_spools(spools(tmp_path), lambda: tracker, Watched())
    with new_spool(tmp_path, KEY) as again:
        again.start_parent_run(KEY, "study tiny", {})
        again.log_epoch(KEY, replace(epoch(0), started_ms=20))
        again.end_parent_run(KEY, "KILLED", {})
    replayed(again.path, tracker)
    (run,) = [run for run in tracker.runs.values() if run.parent_id]
    assert {metric.step for metric in run.metrics} == {0}


def test_a_new_spool_is_locked_before_others_see_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, lock = [], fcntl.flock

    def flock(file: BinaryIO, operation: int) -> None:
        seen.append(spools(tmp_path))
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with new_spool(tmp_path, KEY) as spool:
        assert spools(tmp_path) == [spool.path]
    assert seen == [[]]
