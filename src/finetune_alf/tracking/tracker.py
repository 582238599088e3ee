"""The protocol that MLflow and its in-memory twin share; one contract test suite runs over both."""

from collections.abc import Mapping
from typing import Protocol

from finetune_alf.tracking.record import ParentStatus, RunRecord


class Tracker(Protocol):
    """A store of runs in which every write can be repeated. All methods raise TrackingError when the store fails."""

    @property
    def uri(self) -> str:
        """Where the store is; for MLflow its tracking URI."""
        ...

    def open_parent(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find by its key, or make, the run that holds nested runs; set it running; return its id."""
        ...

    def record(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id: one for each key, each metric point once, however often called."""
        ...

    def close_parent(self, parent_id: str, status: ParentStatus, metrics: Mapping[str, float]) -> None:
        """End a parent run, with its summary numbers."""
        ...

    def attach(self, run_id: str, path: str, content: bytes) -> None:
        """Put a file into a run, over the one that may be there."""
        ...

    def find(self, key: str) -> str | None:
        """Return the id of the run with this key."""
        ...
