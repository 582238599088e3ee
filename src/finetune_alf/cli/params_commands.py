"""`finetune-alf params`: check, compare and change params.yaml."""

import json
from pathlib import Path

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo, json_option, print_json, wants_json
from finetune_alf.cli.project import (
    check_overlays,
    kept_params_path,
    overlays_option,
    params_in_force,
    params_path,
    read_params,
    root_option,
)


@click.group()
def params() -> None:
    """Check, compare and change params.yaml."""


@params.command(epilog="Example: finetune-alf params check --params real-small")
@json_option
@overlays_option
@root_option
def check(overlays: tuple[str, ...], root: Path) -> None:
    """Check the parameters, and the files and servers that they name: print that they are valid, or all faults.

    Configs of encoders are read, and tables of up to 64 MiB; of larger ones the first rows. Nothing is downloaded, and
    no weights are read. A server of MLflow or of studies has a few seconds to respond.
    """
    checked = read_params(root, overlays, for_dvc=True)
    from finetune_alf.paths import Paths
    from finetune_alf.running.input_checks import check_inputs
    from finetune_alf.running.server_checks import tracking_note

    check_inputs(checked, Paths(root))
    note = tracking_note(checked, Paths(root))
    names = {key: list(getattr(checked, key)) for key in checked.named_sections() if getattr(checked, key)}
    path = params_in_force(root, overlays)
    read = [*([str(path)] if path.exists() else []), *overlays]
    listed = [f"{key} {', '.join(own)}" for key, own in names.items()]
    echo(f"{' + '.join(read)}: valid; {'; '.join(listed)}")
    if note:
        echo(f"note: {note}")
    if wants_json():
        print_json({"valid": True, "read": read, "note": note, **names})


@params.command(epilog="Example: finetune-alf params schema > params.schema.json")
def schema() -> None:
    """Print the JSON schema of params.yaml, for editors."""
    from finetune_alf.experiments.registry import model_of
    from finetune_alf.params.schema import params_schema

    click.echo(json.dumps(params_schema(model_of()), indent=1))


@params.command(epilog="Example: finetune-alf params diff --params thesis-bert")
@json_option
@overlays_option
@click.option("--all", "shows_all", is_flag=True, help="Print each value, also those of sections that only one has.")
@root_option
def diff(overlays: tuple[str, ...], shows_all: bool, root: Path) -> None:
    """Print what overlays would change in params.yaml; without any, how it differs from the default.

    Where the folder has no params.yaml, print how the overlays differ from the default. A section that only one of the
    two has is one line, but for --all and --json.
    """
    from finetune_alf.params.difference import OneSided, differences, in_short
    from finetune_alf.params.load import read_merged, read_overlay

    check_overlays(overlays)
    path = params_in_force(root, overlays)
    before = read_merged(path) if overlays and path.exists() else read_overlay("default")
    after = read_merged(path, overlays)
    if wants_json():
        print_json([one.as_json() for one in differences(before.value, after.value)])
        return
    shown = list((differences if shows_all else in_short)(before.value, after.value))
    for one in shown:
        echo(str(one))
    if any(isinstance(one, OneSided) for one in shown):
        from finetune_alf.paths import command_in

        named = [word for name in overlays for word in ("--params", name)]
        command = command_in(root, "params", "diff", "--all", *named)
        echo(f"What is not set has its default, or is not there. Each value: {command}")


class _NamesPresets(click.Command):
    """Its help lists all presets, which are looked up only for the help."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from finetune_alf.params.presets import preset_names

        super().format_help_text(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("Presets; a file does as well:")
            with formatter.indentation():
                formatter.write("".join(f"{'':{formatter.current_indent}}{name}\n" for name in preset_names()))


@params.command(cls=_NamesPresets, epilog="Example: finetune-alf params use real-small")
@click.argument("presets", nargs=-1, required=True, metavar="PRESET...")
@click.option("--anew", is_flag=True, help="Start from the default parameters, not from those that are there.")
@json_option
@root_option
def use(presets: tuple[str, ...], anew: bool, root: Path) -> None:
    """Merge presets into params.yaml, its comments kept."""
    from finetune_alf.experiments.registry import model_of
    from finetune_alf.params.writing import use_presets

    path = params_path(root)
    with about("presets"):
        use_presets(path, presets, model=model_of(), anew=anew, kept=kept_params_path(root))
    echo(f"{path}: now with {', '.join(presets)}")
    if wants_json():
        print_json({"path": str(path), "presets": list(presets)})
