"""The report and its pictures as artifacts of runs in MLflow, where there is a store."""

from collections.abc import Iterator
from pathlib import Path

from finetune_alf.errors import AlfError, TrackingError
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker, tracking_store
from finetune_alf.running.study import study_key
from finetune_alf.study.records import read_study
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.store import sqlite_path, tracking_uri

_SHOWN = {".md", ".html", ".png", ".svg"}


def attach_report(ctx: Context) -> None:
    """Log the pages to the run `report`, and each study's pictures to the runs of the study and its registration.

    A store that is not there, or fails, is no fault of the report.
    """
    try:
        path = sqlite_path(tracking_uri(ctx.paths.root, tracking_store(ctx)))
        if path is not None and not path.exists():
            return
        tracker = open_tracker(ctx)
        run_id = tracker.start_parent_run("report", "report", {})
        for file in _files(ctx.paths.report):
            tracker.log_artifact(run_id, file.relative_to(ctx.paths.report).as_posix(), file.read_bytes())
        for study in ctx.params.studies:
            _attach_pictures(ctx, tracker, study)
        tracker.end_parent_run(run_id, "FINISHED", {})
    except TrackingError as error:
        ctx.console.log(f"The report is not in MLflow: {error}")


def _attach_pictures(ctx: Context, tracker: MlflowTracker, study: str) -> None:
    pictures = [file for file in _files(ctx.paths.report / "figures") if file.name.startswith(f"{study}-")]
    for key in _keys(ctx, study):
        if run_id := tracker.find_run(key):
            for file in pictures:
                tracker.log_artifact(run_id, f"figures/{file.name}", file.read_bytes())


def _keys(ctx: Context, study: str) -> Iterator[str]:
    """Yield the keys of a study's parent runs."""
    yield f"register/{study}"
    try:
        yield study_key(study, read_study(ctx.paths.study_results(study)).digest)
    except AlfError:
        return


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in _SHOWN)
