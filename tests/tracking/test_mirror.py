import threading
import time
from collections.abc import Callable

from finetune_alf.errors import TrackingError
from finetune_alf.tracking import MemoryTracker, Mirror, MirrorFailure, RunRecord


def records(n: int) -> list[RunRecord]:
    return [RunRecord(f"trial/{number}", f"trial {number}", number, number + 1) for number in range(n)]


class Unreliable(MemoryTracker):
    """A store that does as it is told before it writes: raise, sleep, or nothing."""

    def __init__(self, trouble: Callable[[RunRecord], None]) -> None:
        super().__init__()
        self.trouble = trouble
        self.n_asked = 0

    def record(self, parent_id: str, record: RunRecord) -> str:
        self.n_asked += 1
        self.trouble(record)
        return super().record(parent_id, record)

    def names(self) -> list[str]:
        return [run.name for run in self.runs.values() if run.parent_id]


def mirror_all(
    tracker: Unreliable, n: int, pause_s: float = 60.0, patience_s: float = 10.0
) -> tuple[MirrorFailure, ...]:
    mirror = Mirror(tracker, pause_s=pause_s)
    parent = tracker.open_parent("study", "study", {})
    for record in records(n):
        mirror.put(parent, record)
    return mirror.close(patience_s)


def test_records_arrive_in_order() -> None:
    tracker = Unreliable(lambda record: None)
    assert mirror_all(tracker, 50) == ()
    assert tracker.names() == [f"trial {n}" for n in range(50)]


def test_handing_over_does_not_wait_for_the_store() -> None:
    tracker = Unreliable(lambda record: time.sleep(0.02))
    mirror = Mirror(tracker)
    parent = tracker.open_parent("study", "study", {})
    start = time.monotonic()
    for record in records(20):
        mirror.put(parent, record)
    assert time.monotonic() - start < 0.02
    assert mirror.close(patience_s=0.2) == ()  # patience is for one record, not for all
    assert len(tracker.names()) == 20


def test_a_store_that_was_away_gets_everything_at_the_end() -> None:
    away = threading.Event()
    away.set()

    def trouble(record: RunRecord) -> None:
        if away.is_set():
            raise TrackingError("http://server: must answer, but got nothing.")

    tracker = Unreliable(trouble)
    mirror = Mirror(tracker, pause_s=60)
    parent = tracker.open_parent("study", "study", {})
    for record in records(5):
        mirror.put(parent, record)
    while tracker.n_asked == 0:
        time.sleep(0.001)
    away.clear()
    assert mirror.close() == ()
    assert sorted(tracker.names()) == [f"trial {n}" for n in range(5)]


def test_while_a_store_is_away_it_is_asked_only_now_and_then() -> None:
    def trouble(record: RunRecord) -> None:
        raise TrackingError("http://server: must answer, but got nothing.")

    tracker = Unreliable(trouble)
    failures = mirror_all(tracker, 30)
    assert tracker.n_asked == 1 + 30  # once at first, once each at the end
    assert {failure.key for failure in failures} == {f"trial/{n}" for n in range(30)}
    assert {failure.reason for failure in failures} == {"http://server: must answer, but got nothing."}


def test_one_record_that_is_refused_holds_up_no_other() -> None:
    def trouble(record: RunRecord) -> None:
        if record.key == "trial/1":
            raise ZeroDivisionError("a fault that nobody foresaw")

    tracker = Unreliable(trouble)
    assert mirror_all(tracker, 5) == (MirrorFailure("trial/1", "a fault that nobody foresaw"),)
    assert sorted(tracker.names()) == ["trial 0", "trial 2", "trial 3", "trial 4"]


def test_a_store_that_hangs_does_not_hang_the_end() -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(30)

    tracker = Unreliable(lambda record: hang())
    start = time.monotonic()
    failures = mirror_all(tracker, 3, patience_s=0.2)
    assert time.monotonic() - start < 2
    assert [failure.key for failure in failures] == ["trial/0", "trial/1", "trial/2"]
    assert "memory:: must answer within 0.2 s" in failures[0].reason
    released.set()


def test_mirroring_everything_again_after_a_loss_changes_nothing() -> None:
    tracker = Unreliable(lambda record: None)
    mirror_all(tracker, 5)
    before = {run_id: repr(run) for run_id, run in tracker.runs.items()}
    mirror_all(tracker, 5)
    assert {run_id: repr(run) for run_id, run in tracker.runs.items()} == before
