"""MemoryTracker: a Tracker that keeps its runs in memory, for tests and for callers without an MLflow store."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from finetune_alf.errors import TrackingError
from finetune_alf.tracking.record import Metric, RunRecord, RunStatus, check_artifact_path, check_key


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
        self._ids = itertools.count()

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id."""
        run_id = self._find_or_create(key, name)
        self.runs[run_id].status = "RUNNING"
        self.runs[run_id].tags.update(tags)
        return run_id

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id; a run that has ended with this status is left as it is."""
        self._get(parent_id)
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

    def end_parent_run(self, parent_id: str, status: RunStatus, metrics: Mapping[str, float]) -> None:
        """Log the parent run's own metrics and end it with a status."""
        run = self._get(parent_id)
        run.status = status
        run.summary.update(metrics)

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run."""
        check_artifact_path(path)
        self._get(run_id).artifacts[path] = content

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        check_key(key)
        return next((run_id for run_id, run in self.runs.items() if run.key == key), None)

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
