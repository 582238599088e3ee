"""One command a stage; each reads params.yaml alone, as DVC does."""

from collections.abc import Iterable
from pathlib import Path

import click

from finetune_alf.cli.project import open_context, overlays_option, root_option


@click.command(short_help="Draw a sample out of its source.", epilog="Example: finetune-alf prepare films")
@click.argument("name", required=False)
@root_option
def prepare(name: str | None, root: Path) -> None:
    """Draw sample NAME out of its source; without a name, all of them."""
    context = open_context(root)
    from finetune_alf.running.prepare import prepare as run_stage

    for one in _asked(name, context.params.samples):
        run_stage(context, one)


@click.command(short_help="Write down which encoder a name stands for.", epilog="Example: finetune-alf encoder minilm")
@click.argument("name", required=False)
@root_option
def encoder(name: str | None, root: Path) -> None:
    """Write the digest of encoder NAME to results/encoder, where DVC sees whether it is another one; or of all."""
    context = open_context(root)
    from finetune_alf.running.encoder import encoder as run_stage

    for one in _asked(name, context.params.encoders):
        run_stage(context, one)


@click.command(short_help="Train an encoder further on the texts of a task.", epilog="Example: finetune-alf adapt imdb")
@click.argument("name", required=False)
@root_option
def adapt(name: str | None, root: Path) -> None:
    """Train the encoder of adaptation NAME further, on texts without labels; without a name, of all of them.

    What is done already, under the same settings, encoder and texts, is not done again.
    """
    context = open_context(root)
    from finetune_alf.experiments.adapt.stage import adapt as run_stage

    for one in _asked(name, context.params.adapt):
        run_stage(context, one)


@click.command(short_help="Search for the rates that score best.", epilog="Example: finetune-alf study minilm")
@click.argument("name", required=False)
@root_option
def study(name: str | None, root: Path) -> None:
    """Search for the best rates in study NAME; without a name, in all of them.

    Stopped and started again, it goes on where it was. More trials: raise n_trials in params.yaml.
    """
    context = open_context(root)
    from finetune_alf.running.study import study as run_stage

    for one in _asked(name, context.params.studies):
        run_stage(context, one)


@click.command(short_help="Say how much each layer's rate matters.", epilog="Example: finetune-alf importance minilm")
@click.argument("name", required=False)
@root_option
def importance(name: str | None, root: Path) -> None:
    """Say how much each layer's rate mattered in study NAME, and in which direction; without a name, in all."""
    context = open_context(root)
    from finetune_alf.running.importance import importance as run_stage

    for one in _asked(name, context.params.studies):
        run_stage(context, one)


@click.command(short_help="Confirm the best trials and register two.", epilog="Example: finetune-alf register minilm")
@click.argument("name", required=False)
@click.option(
    "--from-lock", is_flag=True, help="Register what results/schedules holds again, without fitting anything."
)
@root_option
def register(name: str | None, from_lock: bool, root: Path) -> None:
    """Confirm the best trials of study NAME on texts that none saw, and register two; without a name, of all."""
    context = open_context(root)
    from finetune_alf.running.register import register as run_stage

    for one in _asked(name, context.params.studies):
        run_stage(context, one, from_lock=from_lock)


@click.command(
    short_help="Try the registered schedules on other samples.",
    epilog="Example: finetune-alf transfer minilm restaurants",
)
@click.argument("study", required=False)
@click.argument("sample", required=False)
@root_option
def transfer(study: str | None, sample: str | None, root: Path) -> None:
    """Try the registered schedules of STUDY on SAMPLE; what is not named is all that params.yaml names there."""
    context = open_context(root)
    from finetune_alf.experiments.transfer.stage import transfer as run_stage

    for one in _asked(study, context.params.transfer.studies):
        for target in _asked(sample, context.params.transfer.samples):
            run_stage(context, one, target)


@click.command(short_help="Say how many layers must learn.", epilog="Example: finetune-alf freeze elsa")
@click.argument("name", required=False)
@root_option
def freeze(name: str | None, root: Path) -> None:
    """Freeze the encoder of sweep NAME from the input up, sample by sample; without a name, of all of them.

    Stopped and started again, it does the fits that are missing.
    """
    context = open_context(root)
    from finetune_alf.experiments.freeze.stage import freeze as run_stage

    for one in _asked(name, context.params.freeze):
        run_stage(context, one)


@click.command(short_help="Put fine-tuning schemes side by side.", epilog="Example: finetune-alf schemes testbed")
@click.argument("name", required=False)
@root_option
def schemes(name: str | None, root: Path) -> None:
    """Fine-tune under each scheme, adapter and curve of testbed NAME; without a name, of all of them.

    Stopped and started again, it does the fits that are missing.
    """
    context = open_context(root)
    from finetune_alf.experiments.schemes.stage import schemes as run_stage

    for one in _asked(name, context.params.schemes):
        run_stage(context, one)


@click.command(
    short_help="Fit one encoder at several tasks.", epilog="Example: finetune-alf multitask minbert-unfreeze"
)
@click.argument("name", required=False)
@root_option
def multitask(name: str | None, root: Path) -> None:
    """Fit one encoder, a head for each task, under every recipe of experiment NAME; without a name, of all of them.

    Stopped and started again, it does the fits that are missing.
    """
    context = open_context(root)
    from finetune_alf.experiments.multitask.stage import multitask as run_stage

    for one in _asked(name, context.params.multitask):
        run_stage(context, one)


@click.command(short_help="Write the tables and figures.", epilog="Example: finetune-alf report")
@root_option
def report(root: Path) -> None:
    """Write results/report/report.md: tables and figures of all that was run."""
    context = open_context(root)
    from finetune_alf.running.report import report as run_stage

    run_stage(context)


@click.command(
    short_help="Run all stages in order.",
    epilog="Example: finetune-alf run --root mine --params default --params mine.yaml",
)
@overlays_option
@root_option
def run(overlays: tuple[str, ...], root: Path) -> None:
    """Run all stages in order in a folder, without git or DVC.

    What it ran with is kept in results/params.yaml.
    """
    context = open_context(root, overlays)
    from finetune_alf.experiments.run_all import run_all
    from finetune_alf.params.writing import write_params

    write_params(root / "results" / "params.yaml", context.params)
    run_all(context)


def _asked(name: str | None, there: Iterable[str]) -> list[str]:
    """Return the name that was given, or all that there are; where there are none, say so."""
    names = [name] if name else list(there)
    if not names:
        click.echo(f"{click.get_current_context().info_name}: nothing to do, params.yaml names none.")
    return names
