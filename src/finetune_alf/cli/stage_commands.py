"""One command a stage; each reads params.yaml alone, as DVC does. Those of experiments are made by their registry."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.console import duration
from finetune_alf.cli.output import (
    echo,
    echo_at_once,
    json_option,
    print_documents,
    print_json,
    quiet_option,
    wants_json,
)
from finetune_alf.cli.project import (
    kept_params_path,
    named_entries,
    open_context,
    overlays_option,
    params_path,
    root_option,
)

if TYPE_CHECKING:
    from finetune_alf.paths import Paths
    from finetune_alf.running.context import Context


@click.command(short_help="Draw a sample out of its source.", epilog="Example: finetune-alf prepare films")
@click.argument("name", required=False)
@json_option
@quiet_option
@root_option
def prepare(name: str | None, root: Path) -> None:
    """Draw sample NAME out of its source; without a name, all of them."""
    context = open_context(root)
    names = named_entries("samples", name, context.params.samples)
    if name is not None:
        _run_each(context, "prepare", names)
    else:
        from finetune_alf.running.prepare import prepare_all

        prepare_all(context, names)
    print_documents(context.paths.sample(each) / "card.json" for each in names)


@click.command(short_help="Write the identity of an encoder.", epilog="Example: finetune-alf encoder minilm")
@click.argument("name", required=False)
@json_option
@quiet_option
@root_option
def encoder(name: str | None, root: Path) -> None:
    """Write the digest of encoder NAME to results/encoder, so that DVC sees when it changes; without a name, of all."""
    context = open_context(root)
    names = named_entries("encoders", name, context.params.encoders)
    _run_each(context, "encoder", names)
    print_documents(context.paths.encoder_card(each) for each in names)


@click.command(short_help="Search for the rates that score best.", epilog="Example: finetune-alf study minilm")
@click.argument("name", required=False)
@json_option
@quiet_option
@root_option
def study(name: str | None, root: Path) -> None:
    """Search for the best rates in study NAME; without a name, in all of them.

    Run the same command again to resume. For more trials, raise n_trials in params.yaml.
    """
    _run_studies("study", name, root, lambda paths, each: paths.study_results(each) / "study.json")


@click.command(
    short_help="Estimate how much each layer's rate matters.", epilog="Example: finetune-alf importance minilm"
)
@click.argument("name", required=False)
@json_option
@quiet_option
@root_option
def importance(name: str | None, root: Path) -> None:
    """Estimate how much each layer's rate matters in study NAME, and in which direction; without a name, in all."""
    _run_studies("importance", name, root, lambda paths, each: paths.importance(each))


@click.command(
    short_help="Confirm the best trials, compare them, register two.", epilog="Example: finetune-alf register minilm"
)
@click.argument("name", required=False)
@click.option(
    "--from-lock", is_flag=True, help="Register what results/schedules holds again, without fitting anything."
)
@json_option
@quiet_option
@root_option
def register(name: str | None, from_lock: bool, root: Path) -> None:
    """Confirm the best trials of study NAME on unseen texts, and register two; without a name, of all.

    The baseline and the best single rate for all layers are fitted beside them, and every schedule is compared with
    both. Run the same command again to resume.
    """
    _run_studies("register", name, root, lambda paths, each: paths.schedules(each), from_lock=from_lock)


@click.command(short_help="Write the tables and figures.", epilog="Example: finetune-alf report")
@json_option
@quiet_option
@root_option
def report(root: Path) -> None:
    """Write results/report/report.html and report.md: tables and figures of all that was run."""
    context = open_context(root)
    from finetune_alf.experiments.registry import registry
    from finetune_alf.running.stages import run_stage

    run_stage(context, "report", parts=[experiment.part for experiment in registry()])
    if wants_json():
        print_json({"report": str(context.paths.report / "report.html")})


@click.command(
    short_help="Run all stages in order.",
    epilog="Example: finetune-alf run --root mine --params default --params mine/mine.yaml",
)
@overlays_option
@json_option
@quiet_option
@root_option
def run(overlays: tuple[str, ...], root: Path) -> None:
    """Run all stages in order in a folder, without git or DVC.

    It ends with a table of scores and with what to use. What it ran with is kept in results/params.yaml, which the
    other commands read where the folder has no params.yaml.
    """
    context = open_context(root, overlays)
    from finetune_alf.experiments.registry import registry
    from finetune_alf.experiments.run_all import run_all
    from finetune_alf.params.writing import write_params
    from finetune_alf.paths import command_in

    started = time.monotonic()
    with context.lock("run"):
        write_params(kept_params_path(root), context.params)
        run_all(context, registry())
    _print_summary(context, time.monotonic() - started)
    if overlays and params_path(root).exists():
        merge = command_in(root, "params", "use", *overlays)
        echo(f"The other commands read {params_path(root)}, without what --params added. To put it in: {merge}")


def _run_studies(
    stage: str, name: str | None, root: Path, document: "Callable[[Paths, str], Path]", **options: bool
) -> None:
    """Run a stage for a study or for all, and print the documents that it has written if --json."""
    context = open_context(root)
    names = named_entries("studies", name, context.params.studies)
    _run_each(context, stage, names, **options)
    print_documents(document(context.paths, each) for each in names)


def _run_each(context: "Context", stage: str, names: Sequence[str], **options: bool) -> None:
    from finetune_alf.running.stages import run_stage

    for name in names:
        if stage in _LOADED:
            echo_at_once(f"{stage} {name}: loading {_LOADED[stage]}")
        run_stage(context, stage, name, **options)


_LOADED = {
    "encoder": "the encoder",
    "importance": "Optuna and the trials",
    "register": "PyTorch, MLflow and the encoder",
}
"""What the stages load that print nothing before it."""


def _print_summary(context: "Context", seconds: float) -> None:
    from finetune_alf.experiments.summary import summary_lines, summary_of

    summary = summary_of(context)
    if wants_json():
        print_json({**summary.as_json(), "seconds": seconds})
        return
    for line in [*summary_lines(summary), f"Done in {duration(seconds)}."]:
        echo(line)
