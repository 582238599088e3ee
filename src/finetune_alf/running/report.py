"""Stage `report`: one page of all that was run."""

from collections.abc import Sequence

from finetune_alf.report.part import MakePart
from finetune_alf.report.write import write_report
from finetune_alf.running.context import Context


def report(ctx: Context, parts: Sequence[MakePart] = ()) -> None:
    """Write results/report/report.md and its figures; `parts` make those of the experiments."""
    with ctx.lock("report"):
        page = write_report(ctx.paths, ctx.params.report.title, parts)
    ctx.console.log(f"Report: {page}")
