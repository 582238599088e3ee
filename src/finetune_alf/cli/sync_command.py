"""`finetune-alf sync`: bring the runs in MLflow to what the project's files say."""

from pathlib import Path

import click

from finetune_alf.cli.output import echo_at_once, json_option, print_json, quiet_option, wants_json
from finetune_alf.cli.project import open_context, root_option


@click.command(short_help="Write to MLflow what it lacks.", epilog="Example: finetune-alf sync --root mine")
@json_option
@quiet_option
@root_option
def sync(root: Path) -> None:
    """Write to MLflow what waits in studies/spool since its server failed, and the runs of results that it lacks.

    So runs can be made from what `dvc pull` has brought from another machine. Runs that are there stay as they are, and
    none is doubled. Exit code 5 says that something is left, and what.
    """
    context = open_context(root)
    echo_at_once("sync: loading MLflow, to see what its store has")
    from finetune_alf.experiments.registry import registry
    from finetune_alf.running.sync import sync as run_sync

    run_sync(context, [experiment.part for experiment in registry()])
    if wants_json():
        print_json({"left": []})  # what is left is an error
