"""`finetune-alf ui`: MLflow's pages over the folder's own store."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_alf.cli.output import echo, echo_at_once
from finetune_alf.cli.project import params_in_force, read_params, root_option, store_uri
from finetune_alf.errors import InputError, TrackingError

if TYPE_CHECKING:
    from finetune_alf.paths import Paths


@click.command(short_help="Open the runs in MLflow's pages.", epilog="Example: finetune-alf ui --port 5001")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--no-open", is_flag=True, help="Print the link, and open no browser.")
@root_option
def ui(port: int, no_open: bool, root: Path) -> None:
    """Open the runs in MLflow's pages, at http://127.0.0.1:PORT, until Ctrl-C, or on the server of params.yaml.

    The link opens the trials by score, with their rates. The experiment's other views, of confirmation and transfer,
    are in the page's list of views.
    """
    echo_at_once("ui: loading MLflow, to find the runs")
    from finetune_alf.paths import Paths
    from finetune_alf.tracking.database import sqlite_uri
    from finetune_alf.tracking.links import runs_link
    from finetune_alf.tracking.pages import HOST, page_server
    from finetune_alf.tracking.store import open_store, redacted_uri, sqlite_path

    uri, paths = store_uri(root), Paths(root)
    path = sqlite_path(uri)
    for study in sorted(paths.studies.glob("*.db")):
        echo(f"The study in Optuna's pages: {shlex.join(['optuna-dashboard', sqlite_uri(study)])}")
    if path is None:
        server = redacted_uri(uri)
        link = _link_there(uri, server, root, paths)
        echo(f"The runs are on a server: {link}")
        _open(link, opened=not no_open)
        return
    if not path.exists():
        raise InputError(f"{path} does not exist yet. Run a study first.")
    experiment = _experiment(open_store(uri), root, paths)
    click.echo("starting MLflow's server; its pages answer in some seconds", err=True)
    try:
        with page_server(uri, port) as process:
            server = f"http://{HOST}:{port}"
            _show(runs_link(server, experiment) if experiment else server, opened=not no_open)
            process.wait()
    except KeyboardInterrupt as stop:
        if getattr(stop, "name", "SIGINT") != "SIGINT":
            raise
        echo("MLflow's server has ended.")
        return
    raise TrackingError("MLflow's server has ended by itself. Start it again.")


def _link_there(uri: str, server: str, root: Path, paths: "Paths") -> str:
    """Return the link to the runs on a server, or to the server itself where it does not answer or has none."""
    from finetune_alf.tracking.links import runs_link
    from finetune_alf.tracking.store import open_store

    try:
        experiment = _experiment(open_store(uri, create=False), root, paths)
    except TrackingError:
        return server
    return runs_link(server, experiment) if experiment else server


def _experiment(client: Any, root: Path, paths: "Paths") -> Any:
    """Return the project's experiment; None where nothing says which it is, or it has no runs yet."""
    if not params_in_force(root).exists():
        return None
    from finetune_alf.running.parent_run import experiment_name

    return client.get_experiment_by_name(experiment_name(read_params(root), paths))


def _show(link: str, *, opened: bool) -> None:
    """Print the link to the pages of this process, and open it."""
    echo(f"{link}\nCtrl-C ends it.")
    _open(link, opened=opened)


def _open(link: str, *, opened: bool) -> None:
    """Open a link in the browser, where that is wanted and there is a display."""
    sys.stdout.flush()
    if opened and _has_display():
        import webbrowser

        webbrowser.open(link)


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
