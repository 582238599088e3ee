"""Stage `report`: one page of all that was run."""

from finetune_alf.report.write import write_report
from finetune_alf.running.context import Context


def report(ctx: Context) -> None:
    """Write results/report/report.md and its figures."""
    with ctx.lock("report"):
        page = write_report(ctx.paths, ctx.params.report.title)
    ctx.teller.say(f"Report: {page}")
