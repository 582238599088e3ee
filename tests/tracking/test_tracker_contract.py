"""What every Tracker keeps, shown on MLflow's store and on its in-memory twin."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.errors import TrackingError
from finetune_alf.tracking import MemoryTracker, Metric, RunRecord, Tracker
from finetune_alf.tracking.mlflow import MlflowTracker

RECORD = RunRecord(
    key="study:abc/trial/3",
    name="trial 3",
    started_ms=1_000,
    ended_ms=9_000,
    params={"rates.embeddings": "2e-08", "rates.head": "2e-05"},
    metrics=tuple(Metric("validation.accuracy", 0.5 + epoch / 100, epoch, 1_000 + epoch) for epoch in range(5)),
    tags={"alf.sample": "f" * 64},
    artifacts={"schedule.json": b'{"name": "x"}', "curves/loss.txt": b"1 2 3"},
)


@dataclass
class Seen:
    parent_id: str | None
    status: str
    ended_ms: int | None
    params: dict[str, str]
    points: list[tuple[str, float, int, int]]
    tags: dict[str, str]
    artifacts: dict[str, bytes]


def look(tracker: Tracker, run_id: str) -> Seen:
    if isinstance(tracker, MemoryTracker):
        run = tracker.runs[run_id]
        points = sorted((m.name, m.value, m.step, m.timestamp_ms) for m in run.metrics)
        points += [(name, value, 0, 0) for name, value in run.summary.items()]
        return Seen(run.parent_id, run.status, run.ended_ms, run.params, points, run.tags, run.artifacts)
    assert isinstance(tracker, MlflowTracker)
    return look_in_mlflow(tracker.client, run_id)


def look_in_mlflow(client: Any, run_id: str) -> Seen:
    run = client.get_run(run_id)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run_id, name)]
    points = sorted((m.key, m.value, m.step, m.timestamp) for m in history)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    parent = run.data.tags.get("mlflow.parentRunId")
    return Seen(parent, run.info.status, run.info.end_time, run.data.params, points, run.data.tags, files)


def n_runs(tracker: Tracker) -> int:
    if isinstance(tracker, MemoryTracker):
        return len(tracker.runs)
    assert isinstance(tracker, MlflowTracker)
    return len(tracker.client.search_runs([tracker.experiment_id]))


@pytest.fixture(params=["memory", "mlflow"])
def tracker(request: pytest.FixtureRequest) -> Tracker:
    if request.param == "memory":
        return MemoryTracker()
    return MlflowTracker(request.getfixturevalue("root"))


def test_a_record_comes_back_as_it_was_given(tracker: Tracker) -> None:
    parent = tracker.open_parent("study:abc", "minilm", {"alf.study": "minilm"})
    seen = look(tracker, tracker.record(parent, RECORD))
    assert (seen.parent_id, seen.status, seen.ended_ms) == (parent, "FINISHED", 9_000)
    assert seen.params == RECORD.params
    assert seen.points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert seen.tags["alf.sample"] == "f" * 64
    assert seen.artifacts == RECORD.artifacts


def test_recording_twice_changes_nothing(tracker: Tracker) -> None:
    parent = tracker.open_parent("study:abc", "minilm", {})
    first = tracker.record(parent, RECORD)
    before = look(tracker, first)
    assert tracker.record(parent, RECORD) == first
    assert look(tracker, first) == before
    assert n_runs(tracker) == 2


def test_a_parent_is_found_again_by_its_key_and_runs_again(tracker: Tracker) -> None:
    first = tracker.open_parent("study:abc", "minilm", {"alf.try": "1"})
    tracker.close_parent(first, "KILLED", {"best.score": 0.75})
    assert look(tracker, first).status == "KILLED"
    assert [point[:2] for point in look(tracker, first).points] == [("best.score", 0.75)]
    assert tracker.open_parent("study:abc", "minilm", {"alf.try": "2"}) == first
    seen = look(tracker, first)
    assert (seen.status, seen.tags["alf.try"]) == ("RUNNING", "2")


def test_runs_are_found_by_key_alone(tracker: Tracker) -> None:
    parent = tracker.open_parent("study:abc", "minilm", {})
    run = tracker.record(parent, RECORD)
    assert (tracker.find("study:abc"), tracker.find(RECORD.key)) == (parent, run)
    assert tracker.find("study:abc/trial/4") is None


def test_an_attached_file_replaces_the_one_before(tracker: Tracker) -> None:
    run = tracker.open_parent("study:abc", "minilm", {})
    tracker.attach(run, "report/page.html", b"old")
    tracker.attach(run, "report/page.html", b"new")
    assert look(tracker, run).artifacts == {"report/page.html": b"new"}


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\\b", "", "a\x00", "a#b", "a?b", "%2e%2e/x"])
def test_an_artifact_cannot_leave_its_run(tracker: Tracker, path: str) -> None:
    run = tracker.open_parent("study:abc", "minilm", {})
    with pytest.raises(ValueError, match="artifact path: must be relative"):
        tracker.attach(run, path, b"")
    with pytest.raises(ValueError, match="artifact path: must be relative"):
        replace(RECORD, artifacts={path: b""})


@pytest.mark.parametrize("key", ["", "a'b", 'a"b', "a b", "x" * 251, "-a", "a\n"])
def test_a_key_that_a_filter_could_misread_is_refused(tracker: Tracker, key: str) -> None:
    with pytest.raises(ValueError, match="key: must be 1 to 250"):
        tracker.find(key)


def test_a_run_that_is_not_there_cannot_be_written(tracker: Tracker) -> None:
    with pytest.raises(TrackingError):
        tracker.close_parent("0" * 32, "FINISHED", {"best.score": 1.0})


def test_many_values_are_written_in_several_calls(tracker: Tracker) -> None:
    parent = tracker.open_parent("study:abc", "minilm", {})
    points = tuple(Metric("train.loss", float(step), step, step) for step in range(1_700))
    params = {f"p{n}": str(n) for n in range(250)}
    seen = look(tracker, tracker.record(parent, replace(RECORD, metrics=points, params=params)))
    assert len(seen.points) == 1_700
    assert seen.params == params


def test_a_failed_trial_keeps_its_status(tracker: Tracker) -> None:
    parent = tracker.open_parent("study:abc", "minilm", {})
    assert look(tracker, tracker.record(parent, replace(RECORD, status="FAILED"))).status == "FAILED"


@pytest.fixture
def cut_short(root: Path) -> Callable[[str], MlflowTracker]:
    """Return a tracker whose process died at a given call in the middle of recording."""

    def record_until(call: str) -> MlflowTracker:
        tracker = MlflowTracker(root)
        parent = tracker.open_parent("study:abc", "minilm", {})
        whole = getattr(tracker.client, call)

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        setattr(tracker.client, call, die)
        with pytest.raises(KeyboardInterrupt):
            tracker.record(parent, RECORD)
        setattr(tracker.client, call, whole)
        return MlflowTracker(root)

    return record_until


@pytest.mark.parametrize("call", ["create_run", "log_artifact", "log_batch", "set_terminated"])
def test_a_record_cut_short_is_completed_by_the_next(cut_short: Callable[[str], MlflowTracker], call: str) -> None:
    tracker = cut_short(call)
    parent = tracker.open_parent("study:abc", "minilm", {})
    seen = look(tracker, tracker.record(parent, RECORD))
    assert n_runs(tracker) == 2
    assert seen.points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert (seen.status, seen.params, seen.artifacts) == ("FINISHED", RECORD.params, RECORD.artifacts)


def test_a_batch_of_which_half_arrived_is_completed_without_doubles(root: Path) -> None:
    from mlflow.entities import Metric as Point

    tracker = MlflowTracker(root)
    parent = tracker.open_parent("study:abc", "minilm", {})
    run = tracker.client.create_run(tracker.experiment_id, 1_000, {"alf.key": RECORD.key}, "trial 3").info.run_id
    half = [Point(m.name, m.value, m.timestamp_ms, m.step) for m in RECORD.metrics[::2]]
    tracker.client.log_batch(run, metrics=[*half, Point("nan", math.nan, 5, 0)])
    extra = (*RECORD.metrics, Metric("nan", math.nan, 0, 5))
    assert tracker.record(parent, replace(RECORD, metrics=extra)) == run
    assert [len(tracker.client.get_metric_history(run, name)) for name in ("validation.accuracy", "nan")] == [5, 1]


def test_of_two_runs_made_for_one_key_the_older_is_kept(root: Path) -> None:
    tracker = MlflowTracker(root)
    parent = tracker.open_parent("study:abc", "minilm", {})
    old, young = (tracker.client.create_run(tracker.experiment_id, start, {"alf.key": RECORD.key}) for start in (1, 2))
    assert tracker.record(parent, RECORD) == old.info.run_id
    assert tracker.client.get_run(young.info.run_id).info.lifecycle_stage == "deleted"
    assert n_runs(tracker) == 2
