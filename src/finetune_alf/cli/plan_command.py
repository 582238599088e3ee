"""`finetune-alf plan`: what a study will take, and what it took."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.project import open_context, root_option

if TYPE_CHECKING:
    from finetune_alf.stages.plan import StudyPlan
    from finetune_alf.stages.predict import StagePlan

_SPENT = ("done", "took", "took/predicted")
_HEADINGS = ("", "fits", "s a fit", "in all", "memory", *_SPENT)


@click.command(short_help="Predict time and memory of a study.", epilog="Example: finetune-alf plan minilm")
@click.argument("name", metavar="[STUDY]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone, in seconds and bytes.")
@root_option
def plan(name: str | None, as_json: bool, root: Path) -> None:
    """Predict time and memory of STUDY, of registering and of its transfers; without a name, of all studies.

    A few steps are timed on the study's own sample, which must be prepared. What has run already is shown beside it,
    with the ratio of the time that it took to the time predicted.
    """
    context = open_context(root)
    from finetune_alf.stages.plan import plan as run_stage

    plans = [run_stage(context, one) for one in ([name] if name else context.params.studies)]
    if as_json:
        click.echo(json.dumps([_record(one) for one in plans], indent=1))
        return
    for one in plans:
        for line in _told(one):
            click.echo(line)


def _record(plan: "StudyPlan") -> dict[str, object]:
    told = plan.model_dump(mode="json")
    stages = [{**stage, "ratio": one.ratio} for stage, one in zip(told["stages"], plan.stages, strict=True)]
    return {**told, "stages": stages, "seconds": plan.seconds}


def _told(plan: "StudyPlan") -> list[str]:
    device = f"{plan.device}, {plan.precision}, {plan.n_threads} threads"
    workers = f", {plan.n_workers} workers" if plan.n_workers > 1 else ""
    head = f"{plan.study}: {plan.encoder.split(':')[0]} on {device}{workers}; probed in {plan.probe_s:.0f} s"
    rows = [_HEADINGS, *(_row(stage) for stage in plan.stages), *_totals(plan)]
    shown = len(_HEADINGS) if any(stage.spent for stage in plan.stages) else len(_HEADINGS) - len(_SPENT)
    missing = [f"{s.stage}: not prepared, not in the total. Run `{s.missing}` first." for s in plan.stages if s.missing]
    return [head, *_aligned([row[:shown] for row in rows]), *missing, *plan.notes]


def _totals(plan: "StudyPlan") -> list[tuple[str, ...]]:
    planned = [stage for stage in plan.stages if stage.seconds is not None]
    fits = str(sum(stage.n_fits for stage in planned))
    memory = _memory(max((stage.memory_bytes or 0 for stage in planned), default=0))
    starts = duration(len(planned) * plan.start_s)
    return [
        (f"starting {len(planned)} times", "", "", starts, "", "", "", ""),
        ("total", fits, "", duration(plan.seconds), memory, "", "", ""),
    ]


def _row(stage: "StagePlan") -> tuple[str, ...]:
    planned: tuple[str, ...] = (str(stage.n_fits), "?", "?", "?")
    if stage.fit_s is not None and stage.seconds is not None and stage.memory_bytes is not None:
        planned = (str(stage.n_fits), f"{stage.fit_s:.2f}", duration(stage.seconds), _memory(stage.memory_bytes))
    spent: tuple[str, ...] = ("", "", "")
    if stage.spent is not None:
        ratio = "" if stage.ratio is None else f"{stage.ratio:.2f}"
        spent = (str(stage.spent.n_fits), duration(stage.spent.seconds), ratio)
    return (stage.stage, *planned, *spent)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 8.4 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _memory(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first.lstrip().ljust(widths[0]), *rest]).rstrip()
