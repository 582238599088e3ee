"""The contract of a Tracker, tested on MlflowTracker and MemoryTracker."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.errors import TrackingError
from finetune_alf.tracking import EpochRecord, MemoryTracker, Metric, RunRecord, Tracker
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
class StoredRun:
    parent_id: str | None
    status: str
    ended_ms: int | None
    params: dict[str, str]
    points: list[tuple[str, float, int, int]]
    tags: dict[str, str]
    artifacts: dict[str, bytes]


def read_run(tracker: Tracker, run_id: str) -> StoredRun:
    if isinstance(tracker, MemoryTracker):
        run = tracker.runs[run_id]
        points = sorted((m.name, m.value, m.step, m.timestamp_ms) for m in run.metrics)
        points += [(name, value, 0, 0) for name, value in run.summary.items()]
        return StoredRun(run.parent_id, run.status, run.ended_ms, run.params, points, run.tags, run.artifacts)
    assert isinstance(tracker, MlflowTracker)
    return read_mlflow_run(tracker.client, run_id)


def read_mlflow_run(client: Any, run_id: str) -> StoredRun:
    run = client.get_run(run_id)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run_id, name)]
    points = sorted((m.key, m.value, m.step, m.timestamp) for m in history)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    parent = run.data.tags.get("mlflow.parentRunId")
    return StoredRun(parent, run.info.status, run.info.end_time, run.data.params, points, run.data.tags, files)


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


def test_a_run_is_stored_as_recorded(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {"alf.study": "minilm"})
    stored = read_run(tracker, tracker.log_run(parent, RECORD))
    assert (stored.parent_id, stored.status, stored.ended_ms) == (parent, "FINISHED", 9_000)
    assert stored.params == RECORD.params
    assert stored.points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert stored.tags["alf.sample"] == "f" * 64
    assert stored.artifacts == RECORD.artifacts


def test_logging_a_run_twice_changes_nothing(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    first = tracker.log_run(parent, RECORD)
    before = read_run(tracker, first)
    assert tracker.log_run(parent, RECORD) == first
    assert read_run(tracker, first) == before
    assert n_runs(tracker) == 2


def test_a_run_that_has_ended_is_left_as_it_is(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    before = read_run(tracker, tracker.log_run(parent, RECORD))
    later = replace(RECORD, ended_ms=99_000, metrics=(Metric("validation.accuracy", 0.9, 7, 8_000),))
    assert read_run(tracker, tracker.log_run(parent, later)) == before


def test_a_parent_run_is_found_by_its_key_and_started_again(tracker: Tracker) -> None:
    first = tracker.start_parent_run("study:abc", "minilm", {"alf.try": "1"})
    tracker.end_parent_run(first, "KILLED", {"best.score": 0.75})
    assert read_run(tracker, first).status == "KILLED"
    assert [point[:2] for point in read_run(tracker, first).points] == [("best.score", 0.75)]
    assert tracker.start_parent_run("study:abc", "minilm", {"alf.try": "2"}) == first
    stored = read_run(tracker, first)
    assert (stored.status, stored.tags["alf.try"]) == ("RUNNING", "2")


def test_a_metric_of_a_parent_run_is_recorded_once_however_often_its_stage_is_started(tracker: Tracker) -> None:
    run = tracker.start_parent_run("study:abc", "minilm", {})
    for score in (0.75, 0.75, 0.75):
        tracker.end_parent_run(run, "FINISHED", {"best.score": score, "n": 3.0})
    assert sorted(point[:2] for point in read_run(tracker, run).points) == [("best.score", 0.75), ("n", 3.0)]
    tracker.end_parent_run(run, "FINISHED", {"best.score": 0.8, "n": 3.0})
    assert ("best.score", 0.8) in [point[:2] for point in read_run(tracker, run).points]


def test_runs_are_found_by_key(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    run = tracker.log_run(parent, RECORD)
    assert (tracker.find_run("study:abc"), tracker.find_run(RECORD.key)) == (parent, run)
    assert tracker.find_run("study:abc/trial/4") is None


def test_an_artifact_replaces_the_one_before(tracker: Tracker) -> None:
    run = tracker.start_parent_run("study:abc", "minilm", {})
    tracker.log_artifact(run, "report/page.html", b"old")
    tracker.log_artifact(run, "report/page.html", b"new")
    assert read_run(tracker, run).artifacts == {"report/page.html": b"new"}


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\\b", "", "a\x00", "a#b", "a?b", "%2e%2e/x"])
def test_an_artifact_cannot_leave_its_run(tracker: Tracker, path: str) -> None:
    run = tracker.start_parent_run("study:abc", "minilm", {})
    with pytest.raises(ValueError, match="artifact path: must be relative"):
        tracker.log_artifact(run, path, b"")
    with pytest.raises(ValueError, match="artifact path: must be relative"):
        replace(RECORD, artifacts={path: b""})


@pytest.mark.parametrize("key", ["", "a'b", 'a"b', "a b", "x" * 251, "-a", "a\n"])
def test_a_key_that_is_unsafe_in_a_filter_is_refused(tracker: Tracker, key: str) -> None:
    with pytest.raises(ValueError, match="key: must be 1 to 250"):
        tracker.find_run(key)


def test_writing_a_missing_run_is_an_error(tracker: Tracker) -> None:
    with pytest.raises(TrackingError):
        tracker.end_parent_run("0" * 32, "FINISHED", {"best.score": 1.0})


def test_many_metrics_and_params_are_written_in_batches(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    points = tuple(Metric("train.loss", float(step), step, step) for step in range(1_700))
    params = {f"p{n}": str(n) for n in range(250)}
    stored = read_run(tracker, tracker.log_run(parent, replace(RECORD, metrics=points, params=params)))
    assert len(stored.points) == 1_700
    assert stored.params == params


def test_a_failed_trial_keeps_its_status(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    assert read_run(tracker, tracker.log_run(parent, replace(RECORD, status="FAILED"))).status == "FAILED"


def epoch(number: int, started_ms: int = 1_500, attempt: int = 0) -> EpochRecord:
    """An epoch of the fit of RECORD, as it is reported while the fit goes on."""
    point = RECORD.metrics[number]
    metric = replace(point, timestamp_ms=point.timestamp_ms + attempt)
    params = {"rates.head": RECORD.params["rates.head"]}
    return EpochRecord(RECORD.key, RECORD.name, started_ms, number, (metric,), params, {"alf.trial": "3"})


def test_the_epochs_of_a_fit_appear_while_it_goes_on_and_its_record_completes_them(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    for number in range(2):
        tracker.log_epoch(parent, epoch(number))
        run = tracker.find_run(RECORD.key)
        stored = read_run(tracker, run)
        assert (stored.parent_id, stored.status, stored.ended_ms) == (parent, "RUNNING", None)
        assert [step for _, _, step, _ in stored.points] == list(range(number + 1))
        assert stored.params == {"rates.head": "2e-05"}
    assert tracker.log_run(parent, RECORD) == run
    stored = read_run(tracker, run)
    assert stored.points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert (stored.status, stored.params, stored.tags["alf.trial"]) == ("FINISHED", RECORD.params, "3")
    tracker.log_epoch(parent, epoch(0))
    assert read_run(tracker, run) == stored


def test_a_fit_that_begins_anew_leaves_nothing_of_its_first_attempt(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    for number in range(3):
        tracker.log_epoch(parent, epoch(number))
    tracker.log_epoch(parent, epoch(0, 4_000, attempt=7))
    run = tracker.find_run(RECORD.key)
    assert [(step, at) for _, _, step, at in read_run(tracker, run).points] == [(0, 1_007)]
    tracker.close_runs()
    assert read_run(tracker, run).status == "KILLED"
    after = tracker.log_run(parent, RECORD)
    assert read_run(tracker, after).points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert n_runs(tracker) == 2


def test_a_parent_run_that_starts_again_ends_the_runs_that_a_killed_process_has_left(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    tracker.log_epoch(parent, epoch(0))
    run = tracker.find_run(RECORD.key)
    assert read_run(tracker, run).status == "RUNNING"
    tracker.start_parent_run("study:abc", "minilm", {})
    assert read_run(tracker, run).status == "KILLED"


def test_a_parent_run_has_the_times_that_it_is_given(tracker: Tracker) -> None:
    parent = tracker.start_parent_run("study:abc", "minilm", {}, 1_000)
    tracker.end_parent_run(parent, "FINISHED", {"best.score": 0.75}, at_ms=9_000)
    if isinstance(tracker, MlflowTracker):
        info = tracker.client.get_run(parent).info
        assert (info.start_time, info.end_time) == (1_000, 9_000)
        assert read_run(tracker, parent).points == [("best.score", 0.75, 0, 9_000)]


@pytest.fixture
def interrupted(root: Path) -> Callable[[str], MlflowTracker]:
    """Return a tracker whose store was interrupted at a given call while a run was logged."""

    def interrupt_at(call: str) -> MlflowTracker:
        tracker = MlflowTracker(root)
        parent = tracker.start_parent_run("study:abc", "minilm", {})
        original = getattr(tracker.client, call)

        def die(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        setattr(tracker.client, call, die)
        with pytest.raises(KeyboardInterrupt):
            tracker.log_run(parent, RECORD)
        setattr(tracker.client, call, original)
        return MlflowTracker(root)

    return interrupt_at


@pytest.mark.parametrize("call", ["create_run", "log_artifact", "log_batch", "set_terminated"])
def test_an_interrupted_run_is_completed_by_the_next_call(
    interrupted: Callable[[str], MlflowTracker], call: str
) -> None:
    tracker = interrupted(call)
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    stored = read_run(tracker, tracker.log_run(parent, RECORD))
    assert n_runs(tracker) == 2
    assert stored.points == [(m.name, m.value, m.step, m.timestamp_ms) for m in RECORD.metrics]
    assert (stored.status, stored.params, stored.artifacts) == ("FINISHED", RECORD.params, RECORD.artifacts)


def test_a_half_written_batch_is_completed_without_duplicates(root: Path) -> None:
    from mlflow.entities import Metric as MlflowMetric

    tracker = MlflowTracker(root)
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    tags = {"alf.key": RECORD.key, "mlflow.parentRunId": parent}
    run = tracker.client.create_run(tracker.experiment_id, 1_000, tags, "trial 3").info.run_id
    half = [MlflowMetric(m.name, m.value, m.timestamp_ms, m.step) for m in RECORD.metrics[::2]]
    tracker.client.log_batch(run, metrics=[*half, MlflowMetric("nan", math.nan, 5, 0)])
    extra = (*RECORD.metrics, Metric("nan", math.nan, 0, 5))
    tracker.start_parent_run("study:abc", "minilm", {})
    assert tracker.log_run(parent, replace(RECORD, metrics=extra)) == run
    assert [len(tracker.client.get_metric_history(run, name)) for name in ("validation.accuracy", "nan")] == [5, 1]


def test_of_two_runs_with_one_key_the_older_is_kept(root: Path) -> None:
    tracker = MlflowTracker(root)
    parent = tracker.start_parent_run("study:abc", "minilm", {})
    old, young = (
        tracker.client.create_run(tracker.experiment_id, start, {"alf.key": RECORD.key}) for start in (500, 501)
    )
    assert tracker.log_run(parent, RECORD) == old.info.run_id
    assert tracker.client.get_run(young.info.run_id).info.lifecycle_stage == "deleted"
    assert n_runs(tracker) == 2
