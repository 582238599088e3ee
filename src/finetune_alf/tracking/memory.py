"""MemoryTracker: the public in-memory twin of MLflow, for tests and for runs that nobody wants tracked."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from finetune_alf.errors import TrackingError
from finetune_alf.tracking.record import Metric, ParentStatus, RunRecord, check_key, check_path


@dataclass
class MemoryRun:
    """A run as MemoryTracker holds it."""

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
    """Keep runs in a dictionary: `runs` maps run ids to what was written."""

    uri = "memory:"

    def __init__(self) -> None:
        self.runs: dict[str, MemoryRun] = {}
        self._ids = itertools.count()

    def open_parent(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find or make a parent run, and set it running."""
        run_id = self._find_or_make(key, name)
        self.runs[run_id].status = "RUNNING"
        self.runs[run_id].tags.update(tags)
        return run_id

    def record(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run, the same one each time."""
        self._get(parent_id)
        run_id = self._find_or_make(record.key, record.name)
        run = self.runs[run_id]
        run.parent_id = parent_id
        run.started_ms, run.ended_ms, run.status = record.started_ms, record.ended_ms, record.status
        run.params.update(record.params)
        run.metrics.update(record.metrics)
        run.tags.update(record.tags)
        run.artifacts.update(record.artifacts)
        return run_id

    def close_parent(self, parent_id: str, status: ParentStatus, metrics: Mapping[str, float]) -> None:
        """End a parent run."""
        run = self._get(parent_id)
        run.status = status
        run.summary.update(metrics)

    def attach(self, run_id: str, path: str, content: bytes) -> None:
        """Put a file into a run."""
        check_path(path)
        self._get(run_id).artifacts[path] = content

    def find(self, key: str) -> str | None:
        """Return the id of the run with this key."""
        check_key(key)
        return next((run_id for run_id, run in self.runs.items() if run.key == key), None)

    def _find_or_make(self, key: str, name: str) -> str:
        run_id = self.find(key)
        if run_id is None:
            run_id = f"run-{next(self._ids)}"
            self.runs[run_id] = MemoryRun(key, name)
        return run_id

    def _get(self, run_id: str) -> MemoryRun:
        if run_id not in self.runs:
            raise TrackingError(f"{self.uri}: must hold the run that is written to, but got {run_id}.")
        return self.runs[run_id]
