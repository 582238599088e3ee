"""The report and its pictures as artifacts of runs in MLflow, where there is a store."""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from finetune_alf.errors import TrackingError
from finetune_alf.report.blocks import FIGURES
from finetune_alf.report.contents import Contents
from finetune_alf.report.page import in_short
from finetune_alf.report.run_pictures import run_pictures
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker, tracking_store
from finetune_alf.tracking.store import sqlite_path, tracking_uri

PAGE = "report.html"
TEXT = "report.md"
"""The page links to it."""

MAX_NOTE = 5_000
"""Characters of a description: MLflow refuses tags that are longer than 8,000."""

_SHOWN = {".md", ".html", ".png", ".svg"}


def attach_report(ctx: Context, contents: Contents) -> None:
    """Log the pages to the run `report`, and to each parent run the pages and the pictures of what it found.

    A run that has them already gets nothing. A store that is not there, or fails, is no fault of the report.
    """
    folder = ctx.paths.report
    try:
        path = sqlite_path(tracking_uri(ctx.paths.root, tracking_store(ctx)))
        if path is not None and not path.exists():
            return
        tracker = open_tracker(ctx)
        report_id = tracker.start_parent_run("report", "report", {})
        files = {report_id: _files(folder)}
        for key, names in run_pictures(contents).items():
            if run_id := tracker.find_run(key):
                files[run_id] = [folder / PAGE, folder / TEXT, *(folder / FIGURES / name for name in names)]
        for run_id, own in files.items():
            there = [file for file in own if file.exists()]  # an older report lacks what was found since
            tracker.log_files(run_id, {file.relative_to(folder).as_posix(): file.read_bytes() for file in there})
        tracker.end_parent_run(report_id, "FINISHED", {}, _note(in_short(contents)))
    except TrackingError as error:
        ctx.console.log(f"The report is not in MLflow: {error}")


def _note(lines: Sequence[str]) -> str:
    """Return the lines as a list, as many of them as a description has room for."""
    items = [f"- {line}\n" for line in lines]
    n_shown = sum(length <= MAX_NOTE for length in accumulate(map(len, items)))
    more = [f"\n{len(items) - n_shown} more are in {PAGE}."] if n_shown < len(items) else []
    return "".join([*items[:n_shown], *more])


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in _SHOWN)
