"""Stage `report`: one page of all that was run."""

from collections.abc import Sequence

from finetune_alf.report.kept import write_kept
from finetune_alf.report.part import MakePart
from finetune_alf.report.write import write_report
from finetune_alf.running.context import Context
from finetune_alf.running.report_artifacts import attach_report


def report(ctx: Context, parts: Sequence[MakePart] = ()) -> None:
    """Write results/report/: report.html, report.md and its figures; and the page of kept results.

    `parts` make those of the experiments. MLflow gets copies.
    """
    spec = ctx.params.report
    with ctx.lock("report"):
        written = write_report(ctx.paths, spec.title, parts)
        pages = [written.with_suffix(".html"), written]
        if spec.kept is not None:
            pages.append(write_kept(ctx.paths.root, spec.kept, parts))
        attach_report(ctx)
    for page in pages:
        ctx.console.log(f"Report: {page}")
