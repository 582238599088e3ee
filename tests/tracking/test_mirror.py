import threading
import time
from collections.abc import Callable

from finetune_alf.errors import TrackingError
from finetune_alf.tracking import EpochRecord, MemoryTracker, Metric, Mirror, MirrorFailure, RunRecord


def records(n: int) -> list[RunRecord]:
    return [RunRecord(f"trial/{number}", f"trial {number}", number, number + 1) for number in range(n)]


class Unreliable(MemoryTracker):
    """A tracker that calls `trouble`, which may raise or sleep, before it writes a run."""

    def __init__(self, trouble: Callable[[RunRecord], None]) -> None:
        super().__init__()
        self.trouble = trouble
        self.n_calls = 0

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        self.n_calls += 1
        self.trouble(record)
        return super().log_run(parent_id, record)

    def names(self) -> list[str]:
        return [run.name for run in self.runs.values() if run.parent_id]


def mirror_all(
    tracker: Unreliable, n: int, retry_delay_s: float = 60.0, timeout_s: float = 10.0
) -> tuple[MirrorFailure, ...]:
    mirror = Mirror(tracker, retry_delay_s=retry_delay_s)
    parent = tracker.start_parent_run("study", "study", {})
    for record in records(n):
        mirror.put(parent, record)
    return mirror.close(timeout_s)


def test_runs_are_written_in_order() -> None:
    tracker = Unreliable(lambda record: None)
    assert mirror_all(tracker, 50) == ()
    assert tracker.names() == [f"trial {n}" for n in range(50)]


def test_put_does_not_wait_for_the_store() -> None:
    tracker = Unreliable(lambda record: time.sleep(0.02))
    mirror = Mirror(tracker)
    parent = tracker.start_parent_run("study", "study", {})
    start = time.monotonic()
    for record in records(20):
        mirror.put(parent, record)
    assert time.monotonic() - start < 0.02
    assert mirror.close(timeout_s=0.2) == ()  # the timeout is for one run, not for all
    assert len(tracker.names()) == 20


def test_a_store_that_was_down_gets_all_runs_at_the_end() -> None:
    is_down = threading.Event()
    is_down.set()

    def trouble(record: RunRecord) -> None:
        if is_down.is_set():
            raise TrackingError("http://server: no response")

    tracker = Unreliable(trouble)
    mirror = Mirror(tracker, retry_delay_s=60)
    parent = tracker.start_parent_run("study", "study", {})
    for record in records(5):
        mirror.put(parent, record)
    while tracker.n_calls == 0:
        time.sleep(0.001)
    is_down.clear()
    assert mirror.close() == ()
    assert sorted(tracker.names()) == [f"trial {n}" for n in range(5)]


def test_a_store_that_is_down_is_not_used_again_before_the_retry_delay() -> None:
    def trouble(record: RunRecord) -> None:
        raise TrackingError("http://server: no response")

    tracker = Unreliable(trouble)
    failures = mirror_all(tracker, 30)
    assert tracker.n_calls == 1 + 30  # one call at first, then one for each run at the end
    assert {failure.key for failure in failures} == {f"trial/{n}" for n in range(30)}
    assert {failure.reason for failure in failures} == {"http://server: no response"}


def test_a_run_that_is_refused_does_not_block_the_others() -> None:
    def trouble(record: RunRecord) -> None:
        if record.key == "trial/1":
            raise ZeroDivisionError("an unexpected error")

    tracker = Unreliable(trouble)
    assert mirror_all(tracker, 5) == (MirrorFailure("trial/1", "an unexpected error"),)
    assert sorted(tracker.names()) == ["trial 0", "trial 2", "trial 3", "trial 4"]


def test_closing_does_not_wait_for_a_store_that_hangs() -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(30)

    tracker = Unreliable(lambda record: hang())
    start = time.monotonic()
    failures = mirror_all(tracker, 3, timeout_s=0.2)
    assert time.monotonic() - start < 2
    assert [failure.key for failure in failures] == ["trial/0", "trial/1", "trial/2"]
    assert "no response within 0.2 s" in failures[0].reason
    released.set()


def epochs(n: int) -> list[EpochRecord]:
    return [EpochRecord("trial/0", "trial 0", 0, number, (Metric("loss", 0.5, number, 1),)) for number in range(n)]


def test_epochs_are_written_while_the_fit_goes_on_and_not_after_it() -> None:
    tracker = MemoryTracker()
    mirror = Mirror(tracker)
    parent = tracker.start_parent_run("study", "study", {})
    first, *later = epochs(5)
    mirror.put_epoch(parent, first)
    while tracker.find_run("trial/0") is None:
        time.sleep(0.001)
    mirror.put(parent, records(1)[0])
    for each in later:
        mirror.put_epoch(parent, each)
    assert mirror.close() == ()
    (run,) = [run for run in tracker.runs.values() if run.parent_id]
    assert (run.status, {metric.step for metric in run.metrics}) == ("FINISHED", {0})


def test_epochs_that_a_store_refuses_are_no_failures_and_runs_without_a_record_end_as_killed() -> None:
    tracker = MemoryTracker()
    mirror = Mirror(tracker, retry_delay_s=0)
    parent = tracker.start_parent_run("study", "study", {})
    mirror.put_epoch("no such run", epochs(1)[0])
    mirror.put_epoch(parent, epochs(1)[0])
    assert mirror.close() == ()
    assert [run.status for run in tracker.runs.values() if run.parent_id] == ["KILLED"]


def test_writing_all_runs_again_changes_nothing() -> None:
    tracker = Unreliable(lambda record: None)
    mirror_all(tracker, 5)
    before = {run_id: repr(run) for run_id, run in tracker.runs.items()}
    mirror_all(tracker, 5)
    assert {run_id: repr(run) for run_id, run in tracker.runs.items()} == before
