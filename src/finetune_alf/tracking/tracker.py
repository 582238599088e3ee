"""The Tracker protocol, implemented by MlflowTracker and MemoryTracker; one contract test suite checks both."""

from collections.abc import Mapping
from typing import Protocol

from finetune_alf.tracking.record import RunRecord, RunStatus


class Tracker(Protocol):
    """A store of runs whose writes are idempotent. All methods raise TrackingError when the store fails."""

    @property
    def uri(self) -> str:
        """The store's location; for MLflow its tracking URI."""
        ...

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id."""
        ...

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id. Repeated calls with the same key write the same run."""
        ...

    def end_parent_run(self, parent_id: str, status: RunStatus, metrics: Mapping[str, float]) -> None:
        """Log the parent run's own metrics and end it with a status."""
        ...

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run, in place of any earlier one at the same path."""
        ...

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        ...
