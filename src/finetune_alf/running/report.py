"""Stage `report`: one page of all that was run."""

from collections.abc import Sequence

from finetune_alf.params.model import RANDOM_PROJECT
from finetune_alf.report.contents import read_contents
from finetune_alf.report.kept import write_kept
from finetune_alf.report.part import MakePart
from finetune_alf.report.write import write_contents
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import tracking_store
from finetune_alf.running.report_artifacts import attach_report
from finetune_alf.tracking.links import server_address


def report(ctx: Context, parts: Sequence[MakePart] = ()) -> None:
    """Write results/report/: report.html, report.md and its figures; and the page of kept results.

    The title has the project's name, where it was given one. `parts` make those of the experiments. MLflow gets copies.
    """
    spec = ctx.params.report
    with ctx.lock("report"):
        title = spec.title if ctx.params.project == RANDOM_PROJECT else f"{spec.title}: {ctx.params.project}"
        ctx.console.doing("report: reading the results")
        contents = read_contents(ctx.paths, parts)
        ctx.console.doing("report: drawing the pages")
        written = write_contents(ctx.paths, title, contents, server_address(tracking_store(ctx)))
        pages = [written.with_suffix(".html")]
        if spec.kept is not None:
            pages.append(write_kept(ctx.paths.root, spec.kept, parts))
        ctx.console.doing("report: copying the pages to MLflow")
        attach_report(ctx, contents)
    for page in pages:
        ctx.console.log(f"Report: {page}")
