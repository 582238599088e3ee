"""Whether the servers that the settings name respond: MLflow's, and the PostgreSQL server of studies."""

import os

from finetune_alf.errors import TrackingError
from finetune_alf.params import Params
from finetune_alf.paths import Paths
from finetune_alf.running.study_server import study_server
from finetune_alf.tracking.store import check_server, named_store, sqlite_path, tracking_uri


def check_study_server(params: Params, paths: Paths) -> None:
    """Raise StudyError, within seconds, where studies are on a server that cannot be used."""
    server = study_server(params, os.environ)
    if server is not None:
        from finetune_alf.study.databases.connection import check_connection

        check_connection(server)


def check_tracking_server(params: Params, paths: Paths) -> None:
    """Raise TrackingError, within seconds, where MLflow's server does not respond and stages wait for it."""
    if params.tracking.on_failure == "wait":
        _check_tracking_server(params, paths)


def tracking_note(params: Params, paths: Paths) -> str | None:
    """Return that MLflow's server does not respond, where stages go on without it; None where it does."""
    if params.tracking.on_failure == "wait":
        return None
    try:
        _check_tracking_server(params, paths)
    except TrackingError as error:
        return f"{error} Fits go on without it, and their records wait; `register` and `fit` need it."
    return None


def _check_tracking_server(params: Params, paths: Paths) -> None:
    uri = tracking_uri(paths.root, named_store(params.tracking.uri))
    if sqlite_path(uri) is None:
        check_server(uri)
