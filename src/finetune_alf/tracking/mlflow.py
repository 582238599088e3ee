"""MlflowTracker: runs in an MLflow store, written through MlflowClient with explicit run ids and idempotent writes.

It does not use MLflow's fluent API or its active run, so it works in any thread or process. A run's key is its tag
`alf.key`, set on creation, which starts with the project. Its end time is written last, so a run that has ended is
complete.
"""

import getpass
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count, zip_longest
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

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
from finetune_alf.tracking.store import artifact_location, open_store, tracking_errors, tracking_uri
from finetune_alf.tracking.views import Columns, view_tags

T = TypeVar("T")

EXPERIMENT = "finetune_alf"
KEY_TAG = "alf.key"
PROJECT_TAG = "alf.project"
PARENT_TAG = "mlflow.parentRunId"
SOURCE_NAME = "finetune-alf"
_SOURCE = {"mlflow.source.name": SOURCE_NAME, "mlflow.source.type": "LOCAL"}
DIGEST_LENGTH = 16
COLUMNS_TAG = "alf.columns"
N_METRICS_PER_BATCH, N_PARAMS_PER_BATCH = 800, 100  # log_batch takes 100 params, 100 tags and 1,000 items in all


@dataclass
class _OpenRun:
    """A run whose fit goes on, and what it has already."""

    run_id: str
    epoch: int = -1
    params: dict[str, str] = field(default_factory=dict)
    metrics: set[Metric] = field(default_factory=set)

    def rest_of(self, record: RunRecord) -> RunRecord:
        """Return what of a record the run lacks."""
        params = {name: value for name, value in record.params.items() if name not in self.params}
        return replace(record, params=params, metrics=tuple(m for m in record.metrics if m not in self.metrics))


class MlflowTracker:
    """A Tracker on the store below `root`, or on the one at `uri`, for the runs of one project.

    Runs with equal keys of several projects are several runs. Raises TrackingError if the store cannot be opened.
    """

    def __init__(
        self, root: Path, uri: str | None = None, experiment: str = EXPERIMENT, project: str | None = None
    ) -> None:
        self.project = project
        self.uri = tracking_uri(root, uri)
        self.client = open_store(self.uri)
        with tracking_errors(self.uri):
            self.experiment_id = self._experiment_id(experiment)
        self._open: dict[str, _OpenRun] = {}

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id."""
        from mlflow.entities import RunTag

        check_key(key)
        with tracking_errors(self.uri):
            run = self._find(key) or self._create(key, name, _now_ms(), tags)
            run_id = str(run.info.run_id)
            self.client.update_run(run_id, status="RUNNING", name=name)
            self.client.log_batch(run_id, tags=[RunTag(tag, value) for tag, value in tags.items()])
        return run_id

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id; a run that has ended with this status is left as it is."""
        with tracking_errors(self.uri):
            tags = {**record.tags, PARENT_TAG: parent_id}
            opened = self._open.pop(record.key, None)
            if opened is None:
                self._drop_attempt(record.key, record.started_ms)
            else:
                record = opened.rest_of(record)
            run = self._find(record.key) or self._create(record.key, record.name, record.started_ms, tags)
            run_id = str(run.info.run_id)
            if run.info.status != record.status:
                for path, content in record.artifacts.items():
                    self.log_artifact(run_id, path, content)
                self._log_batches(run_id, record, tags)
                self._log_datasets(run_id, record)
                self.client.set_terminated(run_id, record.status, record.ended_ms)
        return run_id

    def log_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Write an epoch of a fit that goes on, as a nested run that `log_run` completes; one that has ended stays."""
        with tracking_errors(self.uri):
            opened = self._open.get(record.key)
            if opened is None or opened.epoch >= record.epoch:
                self._drop_attempt(record.key, None)
                if self._find(record.key):
                    return
                tags = {**record.tags, PARENT_TAG: parent_id}
                run = self._create(record.key, record.name, record.started_ms, tags)
                opened = self._open[record.key] = _OpenRun(str(run.info.run_id))
            new = opened.rest_of(RunRecord(record.key, record.name, 0, 0, params=record.params, metrics=record.metrics))
            self._log_batches(opened.run_id, new, {})
            opened.epoch = record.epoch
            opened.metrics.update(new.metrics)
            opened.params.update(new.params)

    def close_runs(self) -> None:
        """End the runs that `log_epoch` began and `log_run` did not complete, as KILLED."""
        with tracking_errors(self.uri):
            while self._open:
                _, opened = self._open.popitem()
                self.client.set_terminated(opened.run_id, "KILLED")

    def end_parent_run(self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "") -> None:
        """Log the parent run's own metrics and its description, if there is one, and end it with a status."""
        from mlflow.entities import Metric as MlflowMetric
        from mlflow.entities import RunTag

        with tracking_errors(self.uri):
            now = _now_ms()
            values = [MlflowMetric(name, value, now, 0) for name, value in metrics.items()]
            tags = [RunTag(NOTE_TAG, note)] if note else []
            for batch in _batches(values, N_METRICS_PER_BATCH) or [()]:
                self.client.log_batch(parent_id, metrics=batch, tags=tags)
            self.client.set_terminated(parent_id, status, now)

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run."""
        check_artifact_path(path)
        target = PurePosixPath(path)
        folder = None if target.parent == PurePosixPath() else str(target.parent)
        with tracking_errors(self.uri), tempfile.TemporaryDirectory() as temporary:
            local = Path(temporary) / target.name
            local.write_bytes(content)
            self.client.log_artifact(run_id, str(local), folder)

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        check_key(key)
        with tracking_errors(self.uri):
            run = self._find(key)
        return str(run.info.run_id) if run else None

    def show_columns(self, columns: Columns) -> None:
        """Let the named views of the experiment show these columns, with those of its other studies."""
        with tracking_errors(self.uri):
            tags = self.client.get_experiment(self.experiment_id).tags
            before = tags.get(COLUMNS_TAG)
            shown = Columns(**{name: tuple(each) for name, each in json.loads(before or "{}").items()}).joined(columns)
            after = json.dumps(asdict(shown))
            if after != before:
                for key, value in {**view_tags(shown, _now_ms()), COLUMNS_TAG: after}.items():
                    self.client.set_experiment_tag(self.experiment_id, key, value)

    def _experiment_id(self, name: str) -> str:
        """Return the id of the first of `name`, `name-2`, … with this store's artifact folder, or create it.

        An experiment of this name that somebody else made has another one.
        """
        from mlflow.exceptions import MlflowException

        location = artifact_location(self.uri)
        for candidate in (name if n == 1 else f"{name}-{n}" for n in count(1)):
            experiment = self.client.get_experiment_by_name(candidate)
            if experiment is None:
                try:
                    return str(self.client.create_experiment(candidate, artifact_location=location))
                except MlflowException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    experiment = self.client.get_experiment_by_name(candidate)  # another process created it meanwhile
            if experiment.lifecycle_stage == "active" and location in (None, experiment.artifact_location):
                return str(experiment.experiment_id)
        raise AssertionError("unreachable")

    def _drop_attempt(self, key: str, started_ms: int | None) -> None:
        """Delete a run that did not end, unless it began at this time: a fit is done again from its beginning."""
        run = self._find(key)
        if run and run.info.status in UNFINISHED and run.info.start_time != started_ms:
            self.client.delete_run(run.info.run_id)

    def _find(self, key: str) -> Any:
        """Return the oldest run with this key. Delete younger ones, which are created when a response is lost."""
        runs = self.client.search_runs(
            [self.experiment_id],
            filter_string=f"tags.`{KEY_TAG}` = '{self._identity(key)[KEY_TAG]}'",
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )
        for duplicate in runs[1:]:
            self.client.delete_run(duplicate.info.run_id)
        return runs[0] if runs else None

    def _create(self, key: str, name: str, started_ms: int, tags: Mapping[str, str]) -> Any:
        run = self.client.create_run(
            self.experiment_id,
            start_time=started_ms,
            tags={"mlflow.user": _user(), **_SOURCE, **tags, **self._identity(key)},
            run_name=name,
        )
        return self._find(key) or run

    def _identity(self, key: str) -> dict[str, str]:
        """Return the tags that identify a run."""
        return {KEY_TAG: f"{self.project}/{key}", PROJECT_TAG: self.project} if self.project else {KEY_TAG: key}

    def _log_batches(self, run_id: str, record: RunRecord, tags: Mapping[str, str]) -> None:
        from mlflow.entities import Metric as MlflowMetric
        from mlflow.entities import Param, RunTag

        batches = zip_longest(
            _batches(
                [MlflowMetric(m.name, m.value, m.timestamp_ms, m.step) for m in record.metrics], N_METRICS_PER_BATCH
            ),
            _batches([Param(name, value) for name, value in record.params.items()], N_PARAMS_PER_BATCH),
            _batches([RunTag(name, value) for name, value in tags.items()], N_PARAMS_PER_BATCH),
        )
        for metrics_batch, params_batch, tags_batch in batches:
            self.client.log_batch(run_id, metrics_batch or (), params_batch or (), tags_batch or ())

    def _log_datasets(self, run_id: str, record: RunRecord) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(each.name, each.digest[:DIGEST_LENGTH], SOURCE_NAME, each.source, None, _profile(each.digest)),
                tags=[InputTag("mlflow.data.context", "training")],
            )
            for each in record.datasets
        ]
        if inputs:
            self.client.log_inputs(run_id, inputs)


def _profile(digest: str) -> str:
    """Return the whole digest: MLflow's own field has no place for it."""
    return json.dumps({"digest": digest})


def _user() -> str:
    """Return who runs this; a container may have a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
