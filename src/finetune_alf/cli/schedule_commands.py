"""`finetune-alf schedules`: list, show and pull what the thesis published and what studies registered."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.output import json_option, print_json, say, wants_json
from finetune_alf.cli.project import root_option, store_uri
from finetune_alf.errors import InputError

if TYPE_CHECKING:
    from finetune_alf.schedules.schedule import Schedule

_uri_option = click.option("--uri", help="The MLflow store; the folder's own unless named.")


@click.group(short_help="List, show and pull schedules.")
def schedules() -> None:
    """List, show and pull schedules: the thesis's, files, and registered ones."""


@schedules.command("list", epilog="Example: finetune-alf schedules list")
@json_option
@_uri_option
@root_option
def list_all(uri: str | None, root: Path) -> None:
    """List the published schedules and those of the registry."""
    from finetune_alf.schedules.published import PUBLISHED_NAMES, published
    from finetune_alf.tracking.store import sqlite_path

    found = [
        {"ref": name, "digest": schedule.digest, "n_layers": schedule.rates.n_layers}
        for name, schedule in ((name, published(name)) for name in PUBLISHED_NAMES)
    ]
    for one in found:
        say(f"{one['ref']:<28}{str(one['digest'])[:12]}  {one['n_layers']} layers, published")
    store = store_uri(root, uri)
    path = sqlite_path(store)
    if path is not None and not path.exists():
        say(f"{path}: nothing registered yet")
    else:
        from finetune_alf.schedules.registry import Registry

        for version in Registry(store).list():
            for ref in [f"{version.model}@{alias}" for alias in version.aliases] or [version.model]:
                say(f"{ref:<28}{version.digest[:12]}  version {version.version}, run {version.run_id}")
                found.append(
                    {"ref": ref, "digest": version.digest, "version": version.version, "run_id": version.run_id}
                )
    if wants_json():
        print_json(found)


@schedules.command(epilog="Example: finetune-alf schedules show distilbert-alf-1")
@click.argument("ref")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    show_default="those of the schedule's own trial, else 1000",
    help="The steps of a fit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON document, as `pull` writes it.")
@_uri_option
@root_option
def show(ref: str, steps: int | None, as_json: bool, uri: str | None, root: Path) -> None:
    """Print schedule REF: a published name, FILE.json, or MODEL@ALIAS.

    Its source, its recipe, and what each rate does over a number of steps: frozen, barely moves, learns. Measured
    movements are those of the trial that found the schedule.
    """
    schedule = _pulled(ref, uri, root)
    if as_json:
        click.echo(schedule.to_json().rstrip("\n"))
        return
    from finetune_alf.schedules.description import describe

    for line in describe(schedule, steps):
        click.echo(line)


@schedules.command(epilog="Example: finetune-alf schedules pull alf-mine.minilm@alf-1 --out alf-1.json")
@click.argument("ref")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@_uri_option
@root_option
def pull(ref: str, out: Path, force: bool, uri: str | None, root: Path) -> None:
    """Write schedule REF to a file, its digest checked."""
    if out.exists() and not force:
        raise InputError(f"{out} exists already. Name another file, or pass --force.")
    from finetune_alf.files import write_text

    write_text(out, _pulled(ref, uri, root).to_json())
    click.echo(f"{out}: {ref}")


def _pulled(ref: str, uri: str | None, root: Path) -> "Schedule":
    from finetune_alf.schedules.pull import pull as pull_schedule

    return pull_schedule(ref, store_uri(root, uri) if "@" in ref else None)
