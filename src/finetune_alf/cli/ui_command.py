"""`finetune-alf ui`: MLflow's pages over the folder's own store."""

import os
import shlex
import sys
from pathlib import Path

import click

from finetune_alf.cli.project import root_option, store_uri
from finetune_alf.errors import InputError


@click.command(short_help="Open the runs in MLflow's pages.", epilog="Example: finetune-alf ui --port 5001")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@root_option
def ui(port: int, root: Path) -> None:
    """Open the runs and schedules in MLflow's pages, at http://127.0.0.1:PORT."""
    from finetune_alf.paths import Paths
    from finetune_alf.tracking.store import redacted_uri, sqlite_path

    uri = store_uri(root)
    path = sqlite_path(uri)
    for study in sorted(Paths(root).studies.glob("*.db")):
        click.echo(f"The study in Optuna's pages: optuna-dashboard sqlite:///{study}")
    if path is None:
        click.echo(f"The runs are on a server: {redacted_uri(uri)}")
        return
    if not path.exists():
        raise InputError(f"{path} does not exist yet. Run a study first.")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--port", str(port)]
    click.echo(f"{shlex.join(command)}\nhttp://127.0.0.1:{port}")
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - MLflow takes the place of this process, Ctrl-C included
