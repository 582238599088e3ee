"""The parent run of a stage in MLflow, and its nested runs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from finetune_alf.errors import TrackingError
from finetune_alf.params import Params
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context, git_commit
from finetune_alf.running.project import project_id
from finetune_alf.running.summary import Summary
from finetune_alf.tracking.mirror import Mirror
from finetune_alf.tracking.mlflow import EXPERIMENT, MlflowTracker
from finetune_alf.tracking.record import EpochRecord, RunRecord, RunStatus
from finetune_alf.tracking.system import system_metrics


@dataclass
class Runs:
    """An open parent run; `metrics` and `note`, its description, are written as it ends."""

    tracker: MlflowTracker
    parent_id: str
    mirror: Mirror
    metrics: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def show(self, summary: Summary) -> None:
        """Let the page of the run show this as well."""
        self.metrics.update(summary.metrics)
        self.note = "\n\n".join(filter(None, (self.note, summary.note)))

    def put(self, record: RunRecord) -> None:
        """Log a nested run in the background."""
        self.mirror.put(self.parent_id, record)

    def put_epoch(self, record: EpochRecord) -> None:
        """Log an epoch of a fit that goes on, in the background."""
        self.mirror.put_epoch(self.parent_id, record)


@contextmanager
def parent_run(ctx: Context, key: str, name: str, tags: Mapping[str, str]) -> Iterator[Runs]:
    """Open the parent run of this key, or resume it, and end it with the block.

    Raises TrackingError when the store cannot be written to begin with. Once work has begun, a store that fails is
    only logged: results are in the stage's own files, and the next start writes what is missing.
    """
    tracker = open_tracker(ctx)
    source = commit_tag(git_commit(ctx.paths.root))
    runs = Runs(tracker, tracker.start_parent_run(key, name, {**tags, **source}), Mirror(tracker))
    status: RunStatus = "FAILED"
    try:
        with system_metrics(tracker.uri, runs.parent_id, ctx.params.tracking.system_metrics):
            yield runs
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        _close(ctx, runs, status)


def open_tracker(ctx: Context) -> MlflowTracker:
    """Return the tracker of the project. Raises TrackingError when its store cannot be opened."""
    name = experiment_name(ctx.params, ctx.paths)
    return MlflowTracker(ctx.paths.root, tracking_store(ctx), name, ctx.project)


def experiment_name(params: Params, paths: Paths) -> str:
    """Return the name of a project's experiment."""
    return params.tracking.experiment or f"{EXPERIMENT}.{project_id(params.project, paths)}"


def commit_tag(commit: str | None) -> dict[str, str]:
    """Return the tag by which MLflow knows a commit; none where there is no repository."""
    return {"mlflow.source.git.commit": commit} if commit else {}


def tracking_store(ctx: Context) -> str | None:
    """Return the MLflow store that params.yaml or the environment names; None for the project's own."""
    return ctx.params.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or None


def _close(ctx: Context, runs: Runs, status: RunStatus) -> None:
    failures = runs.mirror.close()
    if failures:
        ctx.console.log(
            f"{len(failures)} runs are not in MLflow yet: {failures[0].reason} "
            "Run the same command again to write them."
        )
    try:
        runs.tracker.end_parent_run(runs.parent_id, status, runs.metrics, runs.note)
    except TrackingError as error:
        ctx.console.log(f"The parent run could not be ended: {error}")
