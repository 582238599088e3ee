"""`finetune-alf plan`: what studies and experiments will take, and what they took."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.project import open_context, root_option
from finetune_alf.errors import AlfError, PartialError

if TYPE_CHECKING:
    from finetune_alf.stages.plan import Plan
    from finetune_alf.stages.predict import StagePlan

_SPENT = ("done", "took", "took/predicted")
_HEADINGS = ("", "fits", "s a fit", "in all", "memory", *_SPENT)


@click.command(
    short_help="Predict time and memory of studies and experiments.",
    epilog="Example: finetune-alf plan minilm",
)
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone, in seconds and bytes.")
@click.option(
    "--params",
    "overlays",
    multiple=True,
    metavar="FILE|PRESET",
    help="Parameters to lay over the folder's params.yaml, or over each other where it has none. Repeatable.",
)
@root_option
def plan(name: str | None, as_json: bool, overlays: tuple[str, ...], root: Path) -> None:
    """Predict time and memory of study or experiment NAME; without a name, of all that params.yaml has.

    A study comes with registering and its transfers. A few steps are timed on the first sample that is prepared. What
    has run already is shown beside it, with the ratio of the time that it took to the time predicted.
    """
    context = open_context(root, overlays)
    from finetune_alf.stages.plan import plans as run_stage

    made, failed = run_stage(context, name)
    if made or not failed:
        _print(made, as_json, overlays)
    if failed:
        raise _joined(failed)


def _print(plans: "list[Plan]", as_json: bool, overlays: tuple[str, ...]) -> None:
    if as_json:
        click.echo(json.dumps([_record(one) for one in plans], indent=1))
        return
    if not plans:
        click.echo("There is no study and no experiment to plan.")
    for one in plans:
        for line in _told(one):
            click.echo(line)
    if overlays and any(stage.missing for one in plans for stage in one.stages):
        click.echo("Samples are prepared as params.yaml has them: lay presets over it with `finetune-alf params use`.")


def _joined(failed: list[AlfError]) -> AlfError:
    """Return the one error, or one that tells of all."""
    reasons = list(dict.fromkeys(map(str, failed)))
    return failed[0] if len(reasons) == 1 else PartialError("\n".join(reasons))


def _record(plan: "Plan") -> dict[str, object]:
    told = plan.model_dump(mode="json")
    stages = [{**stage, "ratio": one.ratio} for stage, one in zip(told["stages"], plan.stages, strict=True)]
    return {**told, "stages": stages, "seconds": plan.seconds}


def _told(plan: "Plan") -> list[str]:
    device = f"{plan.device}, {plan.precision}, {plan.n_threads} threads"
    workers = f", {plan.n_workers} workers" if plan.n_workers > 1 else ""
    probed = f"probed in {plan.probe_s:.0f} s" if plan.n_starts else "not probed"
    head = f"{plan.title}: {plan.encoder.split(':')[0]} on {device}{workers}; {probed}"
    rows = [_HEADINGS, *(_row(stage) for stage in plan.stages), *_totals(plan)]
    shown = len(_HEADINGS) if any(stage.spent for stage in plan.stages) else len(_HEADINGS) - len(_SPENT)
    return [head, *_aligned([row[:shown] for row in rows]), *_missing(plan), *plan.notes]


def _missing(plan: "Plan") -> list[str]:
    commands = dict.fromkeys(stage.missing for stage in plan.stages if stage.missing)
    stages = {each: ", ".join(stage.stage for stage in plan.stages if stage.missing == each) for each in commands}
    return [f"{some}: not prepared, not in the total. Run `{each}` first." for each, some in stages.items()]


def _totals(plan: "Plan") -> list[tuple[str, ...]]:
    planned = [stage for stage in plan.stages if stage.seconds is not None]
    if not planned:
        return []
    fits = str(sum(stage.n_fits for stage in planned))
    memory = _memory(max((stage.memory_bytes or 0 for stage in planned), default=0))
    times = "once" if plan.n_starts == 1 else f"{plan.n_starts} times"
    return [
        (f"starting {times}", "", "", duration(plan.n_starts * plan.start_s), "", "", "", ""),
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
