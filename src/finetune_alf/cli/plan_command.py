"""`finetune-alf plan`: predicted time and memory of studies and experiments, beside the time of finished fits."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.console import duration
from finetune_alf.cli.output import echo, echo_at_once, json_option, print_json, wants_json
from finetune_alf.cli.project import open_context, overlays_option, root_option
from finetune_alf.cli.wrapping import for_stream, width_of
from finetune_alf.errors import AlfError, DataError, InputError, PartialError

if TYPE_CHECKING:
    from finetune_alf.planning.plan import Plan
    from finetune_alf.planning.stage_plan import StagePlan

_ELAPSED = ("done", "took", "took/predicted", "left")
_HEADINGS = ("", "fits", "s a fit", "in all", "memory", *_ELAPSED)


@click.command(
    short_help="Predict time and memory of studies and experiments.",
    epilog="Example: finetune-alf plan minilm",
)
@click.argument("name", required=False)
@json_option
@overlays_option
@root_option
def plan(name: str | None, overlays: tuple[str, ...], root: Path) -> None:
    """Predict time and memory of study or experiment NAME; without a name, of all that params.yaml has.

    A study is planned with its registration. A few steps are timed on the first sample that is prepared, with the
    encoder, which must be there: one from the hub is downloaded first. Fits on samples that are not prepared are
    counted alone. Finished fits are shown beside the plan, with the ratio of the time that they took to the time
    predicted, and the time predicted for what is left.
    """
    context = open_context(root, overlays)
    echo_at_once("plan: loading PyTorch")
    from finetune_alf.experiments.registry import plannables
    from finetune_alf.planning.plan import collect, plans

    collected = collect(context, plannables(), name)
    missing = collected.samples(context, prepared=False)
    if missing and collected.samples(context, prepared=True):
        each = ", ".join(missing)
        note = f"Not prepared: {each}. Fits on what is not prepared are counted, and not predicted."
        click.echo(for_stream(note, sys.stderr), err=True)
    made, failed = plans(context, collected)
    if made or not failed:
        _print(made, wants_json(), with_commands=not overlays)
    way = _commands_to_prepare(name, overlays, root) if overlays and _lacks_a_sample(made, failed) else []
    if failed:
        reasons = dict.fromkeys(map(str, failed))
        raise (PartialError if any(map(_is_timed, made)) else InputError)("\n".join([*reasons, *way]))
    if not wants_json():
        for line in [*_nothing_timed(made, root, with_command=not way), *way]:
            echo(line)


def _print(plans: "list[Plan]", as_json: bool, *, with_commands: bool) -> None:
    if as_json:
        print_json({"plans": [_record(one) for one in plans], "left_s": _left_s(plans), "memory_bytes": _peak(plans)})
        return
    if not plans:
        echo("There is no study and no experiment to plan.")
    is_timed, notes = any(map(_is_timed, plans)), dict[str, None]()
    for one in plans:
        missing = _missing(one, with_commands) if is_timed else []
        stale = [f"{stage.stage}: {stage.note}, planned anew." for stage in one.stages if stage.note]
        width = width_of(sys.stdout)
        for line in [*_table(one, width), *stale, *missing, *(note for note in one.notes if note not in notes)]:
            echo(line)
        notes |= dict.fromkeys(one.notes)
    if is_timed:
        echo(f"In all: {_left_in_all(plans)}.")


def _left_in_all(plans: "list[Plan]") -> str:
    if peak := _peak(plans):
        return f"{duration(_left_s(plans))} left, at most {_memory(peak)} of memory"
    lacks_a_sample = any(stage.missing for one in plans for stage in one.stages)
    return f"nothing is left to fit{' of what is prepared' if lacks_a_sample else ''}"


def _left_s(plans: "list[Plan]") -> float:
    """Return the seconds of what a run has left of all plans, as far as its samples are prepared."""
    return sum(one.left_s for one in plans)


def _peak(plans: "list[Plan]") -> int:
    """Return the bytes of memory that the largest stage takes of those that have fits left; 0 without any."""
    return max((stage.memory_bytes or 0 for one in plans for stage in one.left), default=0)


def _is_timed(plan: "Plan") -> bool:
    return any(stage.seconds is not None for stage in plan.stages)


def _lacks_a_sample(made: "list[Plan]", failed: list[AlfError]) -> bool:
    return any(isinstance(error, DataError) for error in failed) or any(
        stage.missing for one in made for stage in one.stages
    )


def _commands_to_prepare(name: str | None, overlays: Sequence[str], root: Path) -> list[str]:
    """Return the commands that prepare what a plan under overlays lacks: `prepare` reads params.yaml alone."""
    from finetune_alf.paths import command_in

    commands = [["params", "use", *overlays], ["prepare"], ["plan", *([name] if name else [])]]
    shown = [command_in(root, *words) for words in commands]
    return [
        "Stages read params.yaml alone. To prepare samples that are missing, and plan again:",
        *(f"  {one}" for one in shown),
    ]


def _nothing_timed(made: "list[Plan]", root: Path, *, with_command: bool) -> list[str]:
    """Return the line that says why fits are counted alone."""
    from finetune_alf.paths import command_in

    if not made or any(map(_is_timed, made)):
        return []
    way = f" Run `{command_in(root, 'prepare')}`, then this again." if with_command else ""
    return [f"No sample is prepared: fits are counted, and their time and memory are not predicted.{way}"]


def _record(plan: "Plan") -> dict[str, object]:
    record = plan.model_dump(mode="json")
    stages = [
        {**stage, "ratio": one.ratio, "n_left": one.n_left, "left_s": one.left_s}
        for stage, one in zip(record["stages"], plan.stages, strict=True)
    ]
    return {**record, "stages": stages, "seconds": plan.seconds}


def _table(plan: "Plan", width: int | None) -> list[str]:
    """Return a heading, and the stages with the columns that are known of any.

    Where lines have a width, and the table a larger one, finished fits are a table of their own.
    """
    device = f"{plan.device}, {plan.precision}, {plan.n_threads} thread{'' if plan.n_threads == 1 else 's'}"
    workers = f", {plan.n_workers} workers" if plan.n_workers > 1 else ""
    timed = f"steps timed in {plan.probe_s:.0f} s" if plan.n_starts else "nothing timed"
    head = f"{plan.title}: {plan.encoder.split(':')[0]} on {device}{workers}; {timed}"
    rows = [_HEADINGS, *(_row(stage) for stage in plan.stages), *_totals(plan)]
    n_planned = len(_HEADINGS) - len(_ELAPSED)
    shown = len(_HEADINGS) if any(stage.elapsed for stage in plan.stages) else n_planned
    whole = _with_columns(rows, range(shown))
    if width is None or max(map(len, whole)) <= width:
        return [head, *whole]
    finished = [row for row in rows if any(row[n_planned:])]
    parts = [_with_columns(rows, range(n_planned)), _with_columns(finished, (0, *range(n_planned, shown)))]
    return [head, *parts[0], "", *parts[1]]


def _with_columns(rows: list[tuple[str, ...]], shown: Iterable[int]) -> list[str]:
    """Return rows as lines, with those of the columns that are not empty."""
    columns = list(zip(*rows, strict=True))
    return _aligned(list(zip(*(columns[index] for index in shown if any(columns[index][1:])), strict=True)))


def _missing(plan: "Plan", with_commands: bool) -> list[str]:
    commands = dict.fromkeys(stage.missing for stage in plan.stages if stage.missing)
    stages = {each: ", ".join(stage.stage for stage in plan.stages if stage.missing == each) for each in commands}
    run = {each: f" Run `{each}` first." if with_commands else "" for each in commands}
    return [f"{some}: not prepared, not in the total.{run[each]}" for each, some in stages.items()]


def _totals(plan: "Plan") -> list[tuple[str, ...]]:
    planned = [stage for stage in plan.stages if stage.seconds is not None]
    if not planned:
        return []
    fits = str(sum(stage.n_fits for stage in planned))
    memory = _memory(max((stage.memory_bytes or 0 for stage in planned), default=0))
    times = "once" if plan.n_starts == 1 else f"{plan.n_starts} times"
    return [
        (f"starting {times}", "", "", duration(plan.n_starts * plan.start_s), "", "", "", "", ""),
        ("total", fits, "", duration(plan.seconds), memory, "", "", "", _left(planned)),
    ]


def _row(stage: "StagePlan") -> tuple[str, ...]:
    planned: tuple[str, ...] = (str(stage.n_fits), "", "", "")
    if stage.fit_s is not None and stage.seconds is not None and stage.memory_bytes is not None:
        planned = (str(stage.n_fits), f"{stage.fit_s:.2f}", duration(stage.seconds), _memory(stage.memory_bytes))
    elapsed: tuple[str, ...] = ("", "", "")
    if stage.elapsed is not None:
        ratio = "" if stage.ratio is None else f"{stage.ratio:.2f}"
        elapsed = (str(stage.elapsed.n_fits), duration(stage.elapsed.seconds), ratio)
    return (stage.stage, *planned, *elapsed, _left([stage]))


def _left(stages: "Sequence[StagePlan]") -> str:
    """Return the time predicted for what is left of stages."""
    if not any(stage.n_left for stage in stages):
        return "nothing"
    return duration(sum(stage.left_s or 0.0 for stage in stages)) if any(stage.left_s for stage in stages) else ""


def _memory(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths) for row in rows]


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join([first.lstrip().ljust(widths[0]), *rest]).rstrip()
