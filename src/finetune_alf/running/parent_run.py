"""The parent run of a stage in MLflow, and its nested runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from finetune_alf.crashpoint import crashpoint
from finetune_alf.params import Params
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context, git_commit
from finetune_alf.running.project import project_id
from finetune_alf.running.summary import Summary
from finetune_alf.tracking.mirror import Mirror, free_mirror
from finetune_alf.tracking.mlflow import EXPERIMENT, MlflowTracker
from finetune_alf.tracking.orders import Follow
from finetune_alf.tracking.record import EpochRecord, RunRecord, RunStatus
from finetune_alf.tracking.spool import Spool, new_spool
from finetune_alf.tracking.store import named_store, tracking_uri
from finetune_alf.tracking.system import check_system_metrics
from finetune_alf.tracking.views import Columns


@dataclass
class Runs:
    """An open parent run; `metrics` and `note`, its description, are written as it ends."""

    key: str
    spool: Spool
    mirror: Mirror
    store: Follow
    metrics: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def uri(self) -> str:
        """The absolute URI of the store."""
        return self.store.uri

    @cached_property
    def tracker(self) -> MlflowTracker:
        """The store, for what must be in it now. Raises TrackingError where it cannot be used.

        It logs no metrics of the system: the mirror does.
        """
        return replace(self.store, system_metrics=False).open_tracker()

    @cached_property
    def parent_id(self) -> str:
        """The id of the parent run in the store. Raises TrackingError where the store cannot be used."""
        return self.tracker.find_run(self.key) or self.tracker.start_parent_run(self.key, self.key, {})

    def show(self, summary: Summary) -> None:
        """Let the page of the run show this as well."""
        self.metrics.update(summary.metrics)
        self.note = "\n\n".join(filter(None, (self.note, summary.note)))

    def show_columns(self, columns: Columns) -> None:
        """Let the named views of the experiment show these columns."""
        self.spool.show_columns(columns)

    def put(self, record: RunRecord) -> None:
        """Log a nested run in the background."""
        self.spool.log_run(self.key, record)
        self.mirror.check()

    def put_epoch(self, record: EpochRecord) -> None:
        """Log an epoch of a fit that goes on, in the background."""
        self.spool.log_epoch(self.key, record)
        self.mirror.check()

    def put_artifact(self, key: str, path: str, content: bytes) -> None:
        """Log an artifact of the run with this key in the background, where the store has the run."""
        self.spool.log_artifact(key, path, content)


@contextmanager
def parent_run(
    ctx: Context, key: str, name: str, tags: Mapping[str, str], *, needs_store: bool = False
) -> Iterator[Runs]:
    """Open the parent run of this key, or resume it, and end it with the block.

    Runs are written in the background, and wait in files while the store fails (`tracking/spool.py`). With
    `needs_store`, and where params.yaml says `on_failure: wait`, the store must be there to begin with: else
    TrackingError is raised.
    """
    spec = ctx.params.tracking
    if spec.system_metrics:
        check_system_metrics()
    with new_spool(ctx.paths.spools, key) as spool:
        try:
            runs = Runs(key, spool, free_mirror(), _store(ctx, spool))
            if needs_store or spec.on_failure == "wait":
                ctx.console.doing(f"{name}: opening MLflow's store")
                runs.parent_id  # noqa: B018 - it must be there
            spool.start_parent_run(key, name, {**tags, **commit_tag(git_commit(ctx.paths.root))})
        except BaseException:
            spool.remove()
            raise
        runs.mirror.follow(runs.store)
        status: RunStatus = "FAILED"
        try:
            yield runs
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            crashpoint("parent-end-before")
            spool.end_parent_run(key, status, runs.metrics, runs.note)
            crashpoint("parent-end-after")
            is_interrupted = status == "KILLED"
            waiting = runs.mirror.close(
                spool,
                until_written=spec.on_failure == "wait",
                is_interrupted=is_interrupted,
                on_slow=lambda: ctx.console.doing(f"{name}: writing the last records to MLflow"),
            )
            if waiting is not None:
                ctx.console.log(
                    f"{waiting.n_calls} records of {name} are not in MLflow yet: {waiting.reason} They wait in "
                    f"{ctx.paths.spools}; `{ctx.paths.command('sync')}` writes them."
                )


def _store(ctx: Context, spool: Spool) -> Follow:
    """Return the order to follow a spool, and the store of the project."""
    return Follow(
        str(spool.path.absolute()),
        tracking_uri(ctx.paths.root, tracking_store(ctx)),
        experiment_name(ctx.params, ctx.paths),
        ctx.project,
        ctx.params.tracking.system_metrics,
    )


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
    return named_store(ctx.params.tracking.uri)
