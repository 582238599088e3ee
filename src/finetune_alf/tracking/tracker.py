"""The Tracker protocol, implemented by MlflowTracker, MemoryTracker and Spool; one contract test suite checks them."""

from collections.abc import Mapping
from typing import Protocol

from finetune_alf.tracking.record import EpochRecord, RunRecord, RunStatus
from finetune_alf.tracking.views import Columns


class Tracker(Protocol):
    """A store of runs whose writes are idempotent. All methods raise TrackingError when the store fails."""

    @property
    def uri(self) -> str:
        """The store's location; for MLflow its tracking URI."""
        ...

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str], at_ms: int | None = None) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id.

        Nested runs that an earlier process has left RUNNING are KILLED. `at_ms` is when it started, now by default.
        """
        ...

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id. Repeated calls with the same key write the same run."""
        ...

    def log_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Write an epoch of a fit that goes on, as a nested run that `log_run` completes; one that has ended stays.

        What an earlier attempt at the fit has left goes away.
        """
        ...

    def close_runs(self) -> None:
        """End the runs that `log_epoch` began and `log_run` did not complete, as KILLED."""
        ...

    def end_parent_run(
        self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "", at_ms: int | None = None
    ) -> None:
        """Log the parent run's own metrics and its description, if there is one, and end it with a status.

        `at_ms` is when it ended, now by default.
        """
        ...

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run, in place of any earlier one at the same path."""
        ...

    def show_columns(self, columns: Columns) -> None:
        """Let the named views of the experiment show these columns, with those of its other studies."""
        ...

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        ...
