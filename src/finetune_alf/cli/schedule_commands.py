"""`finetune-alf schedules`: what the thesis published, what studies registered, and files, to read and to hand on."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo, echo_at_once, json_option, print_json, print_json_text, wants_json
from finetune_alf.cli.project import root_option, store_uri
from finetune_alf.errors import InputError

if TYPE_CHECKING:
    from finetune_alf.schedules.schedule import Schedule

_uri_option = click.option("--uri", help="The MLflow store; the folder's own unless named.")
_force_option = click.option("--force", is_flag=True, help="Write over a file that is there.")
_out_option = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)

_steps_option = click.option(
    "--steps",
    type=click.IntRange(min=1),
    show_default="those of the schedule's own trial, else 1000",
    help="The steps of a fit.",
)


_ALLOW_FORGETTING = f"{__name__}.allow_forgetting"


def _allow_forgetting(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    ctx.meta[_ALLOW_FORGETTING] = value
    return value


_forgetting_option = click.option(
    "--allow-forgetting",
    is_flag=True,
    expose_value=False,
    callback=_allow_forgetting,
    help="Accept a schedule whose rates for embeddings and layers are above 1e-4.",
)


@click.group(short_help="List, show, compare and share schedules.")
def schedules() -> None:
    """List, show, compare and share schedules: the thesis's, files, and registered ones."""


@schedules.command("list", epilog="Example: finetune-alf schedules list")
@json_option
@_uri_option
@root_option
def list_all(uri: str | None, root: Path) -> None:
    """List the published schedules and those of the registry, with those whose files cannot be read."""
    from finetune_alf.schedules.published import PUBLISHED_NAMES, published
    from finetune_alf.tracking.store import sqlite_path

    found = [
        {"ref": name, "digest": schedule.digest, "n_layers": schedule.rates.n_layers}
        for name, schedule in ((name, published(name)) for name in PUBLISHED_NAMES)
    ]
    for one in found:
        echo(f"{one['ref']:<28}{str(one['digest'])[:12]}  {one['n_layers']} layers, published")
    store = store_uri(root, uri)
    path = sqlite_path(store)
    if path is not None and not path.exists():
        echo(f"{path}: nothing registered yet")
    else:
        echo_at_once("schedules: loading MLflow, for those of the registry")
        from finetune_alf.schedules.registry import Registry

        for version in Registry(store).list():
            for ref in [f"{version.model}@{alias}" for alias in version.aliases] or [version.model]:
                state = "cannot be read" if version.problem else f"run {version.run_id}"
                echo(f"{ref:<28}{version.digest[:12]}  version {version.version}, {state}")
                place = {"version": version.version, "run_id": version.run_id, "problem": version.problem}
                found.append({"ref": ref, "digest": version.digest, **place})
            if version.problem:
                echo(f"  {version.problem}")
    if wants_json():
        print_json(found)


@schedules.command(epilog="Example: finetune-alf schedules show distilbert-alf-1")
@click.argument("ref")
@_steps_option
@json_option
@_forgetting_option
@_uri_option
@root_option
def show(ref: str, steps: int | None, uri: str | None, root: Path) -> None:
    """Print schedule REF: a published name, FILE.json or .yaml, or MODEL@ALIAS.

    Its source, its recipe, and what each rate does: frozen, barely moves, learns. Movements are those that the trial
    which found the schedule measured; without one, or with --steps, the largest that are possible. --json prints the
    document as `pull` writes it.
    """
    schedule = _pulled(ref, uri, root)
    if wants_json():
        print_json_text(schedule.to_json())
        return
    from finetune_alf.schedules.description import describe

    for line in describe(schedule, steps):
        echo(line)


@schedules.command(epilog="Example: finetune-alf schedules pull alf-mine.minilm@alf-1 --out alf-1.json")
@click.argument("ref")
@_out_option
@_force_option
@json_option
@_forgetting_option
@_uri_option
@root_option
def pull(ref: str, out: Path, force: bool, uri: str | None, root: Path) -> None:
    """Write schedule REF to a file, its digest checked: JSON, or YAML for a name that ends in .yaml."""
    schedule = _pulled(ref, uri, root)
    _write(out, schedule, force)
    echo(f"{out}: {ref}")
    if wants_json():
        print_json({"path": str(out), "ref": ref, "digest": schedule.digest})


@schedules.command(epilog="Example: finetune-alf schedules push alf-1.json alf-mine.minilm@alf-1")
@click.argument("ref")
@click.argument("name")
@json_option
@_forgetting_option
@_uri_option
@root_option
def push(ref: str, name: str, uri: str | None, root: Path) -> None:
    """Register schedule REF under NAME, a MODEL@ALIAS; an alias that exists moves to it."""
    schedule = _pulled(ref, uri, root)
    from finetune_alf.schedules.push import push as push_schedule

    store = store_uri(root, uri)
    with about("name", InputError):
        version = push_schedule(schedule, name, store)
    echo(f"{name}: version {version.version}, digest {version.digest[:12]}")
    if wants_json():
        print_json({"ref": name, "version": version.version, "digest": version.digest})


@schedules.command(epilog="Example: finetune-alf schedules diff distilbert-alf-1 distilbert-alf-2")
@click.argument("ref")
@click.argument("other")
@json_option
@_forgetting_option
@_uri_option
@root_option
def diff(ref: str, other: str, uri: str | None, root: Path) -> None:
    """Print the fields in which two schedules differ, rates by address."""
    found = _pulled(ref, uri, root).diff(_pulled(other, uri, root, "other"))
    if wants_json():
        print_json({"first": found.first, "second": found.second, "fields": [asdict(each) for each in found]})
        return
    echo(str(found))


@schedules.command(epilog="Example: finetune-alf schedules stretch distilbert-alf-1 --layers 12 --out twelve.json")
@click.argument("ref")
@click.option("--layers", type=click.IntRange(min=1), required=True, help="The layers of the encoder to use it on.")
@_out_option
@_force_option
@json_option
@_forgetting_option
@_uri_option
@root_option
def stretch(ref: str, layers: int, out: Path, force: bool, uri: str | None, root: Path) -> None:
    """Write schedule REF for another number of layers: each has the rate at the same relative depth."""
    schedule = _pulled(ref, uri, root).stretch(layers)
    _write(out, schedule, force)
    echo(f"{out}: {schedule.name}, whose score is not known")
    if wants_json():
        print_json({"path": str(out), "name": schedule.name, "digest": schedule.digest})


@schedules.command(epilog="Example: finetune-alf schedules card alf-mine.minilm@alf-1 --out alf-1.md")
@click.argument("ref")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; printed unless named.")
@_steps_option
@_force_option
@json_option
@_forgetting_option
@_uri_option
@root_option
def card(ref: str, out: Path | None, steps: int | None, force: bool, uri: str | None, root: Path) -> None:
    """Write the card of schedule REF in Markdown: source, score, rates, importance, ways to use it.

    Its difference from plain fine-tuning is that of the folder's lock files, or of the registry's version. The
    figure of the study's importance is copied beside the card.
    """
    schedule = _pulled(ref, uri, root)
    from finetune_alf.cli.schedule_card import difference_of, picture_of
    from finetune_alf.schedules.card import card as card_of

    found = difference_of(schedule, ref, root, store_uri(root, uri) if "@" in ref else None)
    _refuse_existing(out, force)
    text = card_of(schedule, ref, found, picture_of(schedule, root, out), steps)
    if out is not None:
        from finetune_alf.files import write_text

        write_text(out, text)
        echo(f"{out}: {schedule.name}")
    elif not wants_json():
        click.echo(text.rstrip("\n"))
    if wants_json():
        print_json({"path": None if out is None else str(out), "name": schedule.name, "card": text})


@schedules.command(epilog="Example: finetune-alf schedules schema")
def schema() -> None:
    """Print the JSON schema of a schedule's document."""
    import json

    from finetune_alf.schedules.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


def _write(out: Path, schedule: "Schedule", force: bool) -> None:
    _refuse_existing(out, force)
    from finetune_alf.files import write_text
    from finetune_alf.schedules.reference import is_yaml

    write_text(out, schedule.to_yaml() if is_yaml(out) else schedule.to_json())


def _refuse_existing(out: Path | None, force: bool) -> None:
    if out is not None and out.exists() and not force:
        raise InputError(f"{out} exists already. Name another file, or pass --force.", option="--out")


def _pulled(ref: str, uri: str | None, root: Path, argument: str = "ref") -> "Schedule":
    from finetune_alf.schedules.pull import pull as pull_schedule
    from finetune_alf.schedules.reference import is_registered

    if is_registered(ref):
        echo_at_once(f"schedules: loading MLflow, for {ref}")
    allow_forgetting = bool(click.get_current_context().meta.get(_ALLOW_FORGETTING))
    store = store_uri(root, uri) if "@" in ref else None
    with about(argument, InputError):  # the store may fail, too
        return pull_schedule(ref, store, allow_forgetting=allow_forgetting)
