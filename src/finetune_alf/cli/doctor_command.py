"""`finetune-alf doctor`: the state of machine, installation and project, as a table."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.output import console, echo, echo_at_once, json_option, print_json, wants_json
from finetune_alf.cli.project import params_in_force, read_params, root_option, store_uri
from finetune_alf.errors import AlfError, PartialError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from finetune_alf.doctor.finding import Finding
    from finetune_alf.running.context import Context


@click.command(
    short_help="Show versions, devices, stores, locks, and what is stale.",
    epilog="Example: finetune-alf doctor --json",
)
@json_option
@root_option
def doctor(root: Path) -> None:
    """Show versions, devices, disks, stores, locks and their holders, each study's state, and what is stale.

    Nothing is changed. A line with ! is a fault, and the line below says the way out; the exit code is then 5. Below
    other lines is what is left to run.
    """
    from finetune_alf.doctor.examination import examine
    from finetune_alf.doctor.finding import Finding
    from finetune_alf.paths import Paths

    echo_at_once("doctor: looking at the installation, the stores, and what is stale")
    found: list[Finding] = []
    context, uri = None, None
    try:
        context = _context(root)
        uri = store_uri(root)
    except AlfError as error:
        found.append(Finding("params", str(params_in_force(root)), "cannot be used", str(error)))
    found += examine(Paths(root), uri, context)
    if wants_json():
        print_json([one.as_json() for one in found])
    else:
        _print(found)
    n = sum(one.is_fault for one in found)
    if n:
        raise PartialError(f"doctor: {n} {'fault' if n == 1 else 'faults'}, marked with !.")


def _context(root: Path) -> "Context | None":
    """Return the context of the project's stages; None in a folder that has no params."""
    if not params_in_force(root).exists():
        return None
    from finetune_alf.paths import Paths
    from finetune_alf.running.context import Context

    return Context(read_params(root), Paths(root), console())


def _print(found: "Sequence[Finding]") -> None:
    width = max(len(one.name) for one in found if len(one.name) <= 30)
    for topic, findings in groupby(found, key=lambda one: one.topic):
        echo(topic)
        for one in findings:
            echo(f" {'!' if one.is_fault else ' '} {one.name.ljust(width)}  {one.state}")
            if below := one.way_out or one.next_step:
                echo(f"   {'':{width}}  {below}")
