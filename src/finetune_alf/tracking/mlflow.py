"""MlflowTracker: runs in an MLflow store, written through MlflowClient with explicit run ids and idempotent writes.

It does not use MLflow's fluent API or its active run, so it works in any thread or process. A run's key is its tag
`alf.key`, set on creation, which starts with the project. Its end time is written last, so a run that has ended is
complete.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

from finetune_alf.checksums import digest
from finetune_alf.clock import now_ms
from finetune_alf.tracking.entities import dataset_inputs, log_batches
from finetune_alf.tracking.known_runs import PARENT_TAG, KnownRuns
from finetune_alf.tracking.record import (
    NOTE_TAG,
    EpochRecord,
    Metric,
    RunRecord,
    RunStatus,
    check_artifact_path,
    check_key,
)
from finetune_alf.tracking.store import artifact_location, open_store, tracking_errors, tracking_uri
from finetune_alf.tracking.system import start_monitor
from finetune_alf.tracking.views import Columns, view_tags

EXPERIMENT = "finetune_alf"
COLUMNS_TAG = "alf.columns"
FILES_TAG = "alf.files"


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

    Runs with equal keys of several projects are several runs. With `system_metrics` the use of the machine is logged to
    a parent run until it ends. Raises TrackingError if the store cannot be opened.
    """

    def __init__(
        self,
        root: Path,
        uri: str | None = None,
        experiment: str = EXPERIMENT,
        project: str | None = None,
        system_metrics: bool = False,
    ) -> None:
        self.project = project
        self.uri = tracking_uri(root, uri)
        self.client = open_store(self.uri)
        with tracking_errors(self.uri):
            self.experiment_id = self._experiment_id(experiment)
            self._runs = KnownRuns(self.client, self.experiment_id, project)
        self._open: dict[str, _OpenRun] = {}
        self._system_metrics = system_metrics
        self._monitor: Any = None

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str], at_ms: int | None = None) -> str:
        """Find the parent run with this key, or create it; set its status to RUNNING and return its id."""
        check_key(key)
        with tracking_errors(self.uri):
            run_id = (self._runs.find(key) or self._runs.create(key, name, at_ms or now_ms(), tags)).run_id
            self.client.update_run(run_id, status="RUNNING", name=name)
            self._log(run_id, tags=tags)
            self._runs.load(run_id)
            if self._system_metrics and self._monitor is None:
                self._monitor = start_monitor(self.uri, run_id)
        return run_id

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Write a nested run and return its id; a run that has ended with this status is left as it is."""
        with tracking_errors(self.uri), self._forget_on_failure(record.key):
            tags = {**record.tags, PARENT_TAG: parent_id}
            opened = self._open.pop(record.key, None)
            if opened is None:
                self._runs.drop_attempt(record.key, parent_id, record.started_ms)
            else:
                record = opened.rest_of(record)
            run = self._runs.find(record.key, parent_id)
            run = run or self._runs.create(record.key, record.name, record.started_ms, tags)
            if run.status != record.status:
                for path, content in record.artifacts.items():
                    self.log_artifact(run.run_id, path, content)
                self._log(run.run_id, record.metrics, record.params, tags)
                if inputs := dataset_inputs(record.datasets):
                    self.client.log_inputs(run.run_id, inputs)
                self._runs.end(record.key, record.status, record.ended_ms)
        return run.run_id

    def log_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Write an epoch of a fit that goes on, as a nested run that `log_run` completes; one that has ended stays."""
        with tracking_errors(self.uri), self._forget_on_failure(record.key):
            opened = self._open.get(record.key)
            if opened is None or opened.epoch >= record.epoch:
                self._runs.drop_attempt(record.key, parent_id, None)
                if self._runs.find(record.key, parent_id):
                    return
                tags = {**record.tags, PARENT_TAG: parent_id}
                run = self._runs.create(record.key, record.name, record.started_ms, tags)
                opened = self._open[record.key] = _OpenRun(run.run_id)
            new = opened.rest_of(RunRecord(record.key, record.name, 0, 0, params=record.params, metrics=record.metrics))
            self._log(opened.run_id, new.metrics, new.params)
            opened.epoch = record.epoch
            opened.metrics.update(new.metrics)
            opened.params.update(new.params)

    @contextlib.contextmanager
    def _forget_on_failure(self, key: str) -> Iterator[None]:
        """Forget this run after a failure in the block, so that the store is queried again: part of it may be there."""
        try:
            yield
        except BaseException:
            self._open.pop(key, None)
            self._runs.forget(key)
            raise

    def close_runs(self) -> None:
        """End the runs that `log_epoch` began and `log_run` did not complete, as KILLED."""
        with tracking_errors(self.uri):
            for key in list(self._open):
                self._runs.end(key, "KILLED")
                del self._open[key]

    def end_parent_run(
        self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "", at_ms: int | None = None
    ) -> None:
        """Log the parent run's own metrics and its description, if there is one, and end it with a status.

        A metric that has this value is not logged again: a stage that is started again would add a point.
        """
        with tracking_errors(self.uri):
            if self._monitor is not None:
                self._monitor.finish()
                self._monitor = None
            ended_ms = at_ms or now_ms()
            before = self.client.get_run(parent_id).data.metrics
            values = [Metric(name, value, 0, ended_ms) for name, value in metrics.items() if before.get(name) != value]
            self._log(parent_id, values, tags={NOTE_TAG: note} if note else {})
            self.client.set_terminated(parent_id, status, ended_ms)

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Write an artifact of a run."""
        check_artifact_path(path)
        target = PurePosixPath(path)
        folder = None if target.parent == PurePosixPath() else str(target.parent)
        with tracking_errors(self.uri), tempfile.TemporaryDirectory() as temporary:
            local = Path(temporary) / target.name
            local.write_bytes(content)
            self.client.log_artifact(run_id, str(local), folder)

    def log_files(self, run_id: str, files: Mapping[str, bytes]) -> bool:
        """Write artifacts of a run, and return whether it lacked them.

        Their digest is the run's tag `alf.files`: the same files are not uploaded twice.
        """
        found = digest({path: sha256(content).hexdigest() for path, content in files.items()})
        with tracking_errors(self.uri):
            if self.client.get_run(run_id).data.tags.get(FILES_TAG) == found:
                return False
            for path, content in files.items():
                self.log_artifact(run_id, path, content)
            self.client.set_tag(run_id, FILES_TAG, found)
        return True

    def find_run(self, key: str) -> str | None:
        """Return the id of the run with this key, or None."""
        check_key(key)
        with tracking_errors(self.uri):
            run = self._runs.find(key)
        return run.run_id if run else None

    def ended_runs(self, key: str) -> set[str] | None:
        """Return the keys of the nested runs that have ended of the parent run with this key; None without a parent."""
        check_key(key)
        with tracking_errors(self.uri):
            parent = self._runs.find(key)
            return self._runs.ended(parent.run_id) if parent else None

    def show_columns(self, columns: Columns) -> None:
        """Let the named views of the experiment show these columns, with those of its other studies."""
        with tracking_errors(self.uri):
            tags = self.client.get_experiment(self.experiment_id).tags
            before = tags.get(COLUMNS_TAG)
            shown = Columns(**{name: tuple(each) for name, each in json.loads(before or "{}").items()}).joined(columns)
            after = json.dumps(asdict(shown))
            if after != before:
                for key, value in {**view_tags(shown, now_ms()), COLUMNS_TAG: after}.items():
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

    def _log(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        for batch in log_batches(metrics, params, tags):
            self.client.log_batch(run_id, **batch)
