"""MemoryTracker: a Tracker that keeps its runs in memory, for tests and for callers without an MLflow store."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from finetune_alf.errors import TrackingError
from finetune_alf.tracking.record import (
    NOTE_TAG,
    UNFINISHED,
    EpochRecord,
    Metric,
    RunRecord,
    RunStatus,
    check_artifact_path,
    check_key,
)
from finetune_alf.tracking.views import Columns


@dataclass
class MemoryRun:
    """A run of a MemoryTracker. `metrics` has the points of a nested run, `summary` a parent run's own metrics."""

    key: str
    name: str
    parent_id: str | None = None
    status: str = "RUNNING"
    started_ms: int | None = None
    ended_ms: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: set[Metric] = field(default_factory=set)
    summary: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)


class MemoryTracker:
    """A Tracker in memory; `runs` maps run ids to runs."""

    uri = "memory:"

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}
        self.columns = Columns()
        self._open: dict[str, int] = {}
        self._ids = itertools.count()

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str], at_ms: int | None = None) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id.

        Nested runs that were left RUNNING are KILLED.
        """
        run_id = self._find_or_create(key, name)
        for run in self.runs.values():
            if run.parent_id == run_id and run.status == "RUNNING":
                run.status = "KILLED"
        self.runs[run_id].status = "RUNNING"
        self.runs[run_id].tags.update(tags)
        return run_id

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id; a run that has ended with this status is left as it is."""
        self._get(parent_id)
        if self._open.pop(record.key, None) is None:
            self._drop_attempt(record.key, record.started_ms)
        run_id = self._find_or_create(record.key, record.name)
        run = self.runs[run_id]
        if run.status == record.status:
            return run_id
        run.parent_id = parent_id
        run.started_ms, run.ended_ms, run.status = record.started_ms, record.ended_ms, record.status
        run.params.update(record.params)
        run.metrics.update(record.metrics)
        run.tags.update(record.tags)
        run.artifacts.update(record.artifacts)
        return run_id

    def log_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Write an epoch of a fit that goes on, as a nested run that `log_run` completes; one that has ended stays."""
        self._get(parent_id)
        if self._open.get(record.key, record.epoch) >= record.epoch:
            self._drop_attempt(record.key, None)
        run_id = self._find_or_create(record.key, record.name)
        run = self.runs[run_id]
        if run.status == "RUNNING":
            self._open[record.key] = record.epoch
            run.parent_id, run.started_ms = parent_id, run.started_ms or record.started_ms
            run.params.update(record.params)
            run.tags.update(record.tags)
            run.metrics.update(record.metrics)

    def close_runs(self) -> None:
        """End the runs that `log_epoch` began and `log_run` did not complete, as KILLED."""
        for key in self._open:
            run_id = self.find_run(key)
            if run_id is not None:
                self.runs[run_id].status = "KILLED"
        self._open.clear()

    def end_parent_run(
        self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "", at_ms: int | None = None
    ) -> None:
        """Log the parent run's own metrics and its description, if there is one, and end it with a status."""
        run = self._get(parent_id)
        run.tags.update({NOTE_TAG: note} if note else {})
        run.status = status
        run.summary.update(metrics)

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run."""
        check_artifact_path(path)
        self._get(run_id).artifacts[path] = content

    def show_columns(self, columns: Columns) -> None:
        """Keep the columns of the named views, with those of other studies."""
        self.columns = self.columns.joined(columns)

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        check_key(key)
        return next((run_id for run_id, run in self.runs.items() if run.key == key), None)

    def _drop_attempt(self, key: str, started_ms: int | None) -> None:
        """Forget a run that did not end, unless it began at this time."""
        run_id = self.find_run(key)
        if run_id and self.runs[run_id].status in UNFINISHED and self.runs[run_id].started_ms not in (None, started_ms):
            del self.runs[run_id]

    def _find_or_create(self, key: str, name: str) -> str:
        run_id = self.find_run(key)
        if run_id is None:
            run_id = f"run-{next(self._ids)}"
            self.runs[run_id] = MemoryRun(key, name)
        return run_id

    def _get(self, run_id: str) -> MemoryRun:
        if run_id not in self.runs:
            raise TrackingError(f"{self.uri}: there is no run {run_id}.")
        return self.runs[run_id]
