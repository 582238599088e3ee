"""MlflowTracker: runs in an MLflow store, written through MlflowClient with explicit ids, each write repeatable.

No ambient run, no fluent API: it works from any thread or process. A job's key is the tag `alf.key` of its run, set as
the run is made; its end time is written last, so a run that has ended is complete.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import count, zip_longest
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from finetune_alf.tracking.record import ParentStatus, RunRecord, check_key, check_path
from finetune_alf.tracking.store import artifact_location, open_store, told, tracking_uri

T = TypeVar("T")

EXPERIMENT = "finetune_alf"
KEY_TAG = "alf.key"
PARENT_TAG = "mlflow.parentRunId"
METRICS_A_BATCH, OTHERS_A_BATCH = 800, 100  # MLflow takes 100 parameters, 100 tags and 1,000 of all in one call


class MlflowTracker:
    """Write runs to the store under `root`, or to the one at `uri`. Opening it raises TrackingError when it fails."""

    def __init__(self, root: Path, uri: str | None = None, experiment: str = EXPERIMENT) -> None:
        self.uri = tracking_uri(root, uri)
        self.client = open_store(self.uri)
        with told(self.uri):
            self.experiment_id = self._experiment(experiment)

    def open_parent(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find or make a parent run, and set it running."""
        from mlflow.entities import RunTag

        check_key(key)
        with told(self.uri):
            run = self._find(key) or self._create(key, name, _now_ms(), tags)
            run_id = str(run.info.run_id)
            self.client.update_run(run_id, status="RUNNING", name=name)
            self.client.log_batch(run_id, tags=[RunTag(tag, value) for tag, value in tags.items()])
        return run_id

    def record(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run, the same one each time."""
        with told(self.uri):
            tags = {**record.tags, PARENT_TAG: parent_id}
            run = self._find(record.key) or self._create(record.key, record.name, record.started_ms, tags)
            run_id = str(run.info.run_id)
            if run.info.status != record.status:
                for path, content in record.artifacts.items():
                    self.attach(run_id, path, content)
                self._log(run_id, record, tags)
                self.client.set_terminated(run_id, record.status, record.ended_ms)
        return run_id

    def close_parent(self, parent_id: str, status: ParentStatus, metrics: Mapping[str, float]) -> None:
        """End a parent run."""
        from mlflow.entities import Metric

        with told(self.uri):
            now = _now_ms()
            self.client.log_batch(parent_id, metrics=[Metric(name, value, now, 0) for name, value in metrics.items()])
            self.client.set_terminated(parent_id, status, now)

    def attach(self, run_id: str, path: str, content: bytes) -> None:
        """Put a file into a run."""
        check_path(path)
        target = PurePosixPath(path)
        folder = None if target.parent == PurePosixPath() else str(target.parent)
        with told(self.uri), tempfile.TemporaryDirectory() as temporary:
            local = Path(temporary) / target.name
            local.write_bytes(content)
            self.client.log_artifact(run_id, str(local), folder)

    def find(self, key: str) -> str | None:
        """Return the id of the run with this key."""
        check_key(key)
        with told(self.uri):
            run = self._find(key)
        return str(run.info.run_id) if run else None

    def _experiment(self, name: str) -> str:
        """Return the first of `name`, `name-2`, … whose artifacts lie here, not where a moved checkout once was."""
        from mlflow.exceptions import MlflowException

        location = artifact_location(self.uri)
        for candidate in (name if n == 1 else f"{name}-{n}" for n in count(1)):
            found = self.client.get_experiment_by_name(candidate)
            if found is None:
                try:
                    return str(self.client.create_experiment(candidate, artifact_location=location))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    found = self.client.get_experiment_by_name(candidate)  # another process was quicker
            if found.lifecycle_stage == "active" and location in (None, found.artifact_location):
                return str(found.experiment_id)
        raise AssertionError("unreachable")

    def _find(self, key: str) -> Any:
        """Return the oldest run with this key; younger ones, made when an answer was lost on its way, are deleted."""
        runs = self.client.search_runs(
            [self.experiment_id],
            filter_string=f"tags.`{KEY_TAG}` = '{key}'",
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )
        for spare in runs[1:]:
            self.client.delete_run(spare.info.run_id)
        return runs[0] if runs else None

    def _create(self, key: str, name: str, started_ms: int, tags: Mapping[str, str]) -> Any:
        run = self.client.create_run(
            self.experiment_id, start_time=started_ms, tags={**tags, KEY_TAG: key}, run_name=name
        )
        return self._find(key) or run

    def _log(self, run_id: str, record: RunRecord, tags: Mapping[str, str]) -> None:
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(point.name, point.value, point.timestamp_ms, point.step) for point in record.metrics]
        params = [Param(name, value) for name, value in record.params.items()]
        labels = [RunTag(name, value) for name, value in tags.items()]
        batches = zip_longest(
            _batched(points, METRICS_A_BATCH), _batched(params, OTHERS_A_BATCH), _batched(labels, OTHERS_A_BATCH)
        )
        for metrics_part, params_part, tags_part in batches:
            self.client.log_batch(run_id, metrics_part or (), params_part or (), tags_part or ())


def _batched(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
