"""MLflow stores: their URIs, how to open one, and errors that name the store without its credentials.

A store is a server, or a SQLite file (`database.py`) with its artifacts in `artifacts/` beside it.
"""

import contextlib
import http.client
import importlib.util
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from finetune_alf.errors import AlfError, TrackingError
from finetune_alf.paths import Paths
from finetune_alf.processes import let_interrupts_end_waits
from finetune_alf.tracking.database import PROBE_TIMEOUT_S, database_lock, prepare_database, sqlite_uri
from finetune_alf.tracking.locations import artifacts_uri, follow_store

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""MLflow's settings for no reports of usage."""

_ENVIRONMENT = {
    **QUIET,
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a model would hold the user's pyproject.toml and uv.lock
    # MLflow's defaults, 120 s and 7 retries, block each call for four minutes when a server is down.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


def tracking_uri(root: Path, uri: str | None = None) -> str:
    """Return the absolute URI of a store; the default is the SQLite file below `root`.

    A relative `sqlite:///file.db` is relative to `root`. Raises TrackingError for anything but SQLite and http(s).
    """
    if uri is None:
        return f"sqlite:///{(Paths(root).mlruns / 'mlflow.db').absolute()}"
    if re.match(r"https?://[^/?#]*[^/?#@:\[\]]", uri):
        return uri.rstrip("/")
    if uri.startswith("sqlite:///") and not uri.removeprefix("sqlite:///").startswith((":memory:", "?")):
        return f"sqlite:///{root.absolute() / uri.removeprefix('sqlite:///')}"
    raise TrackingError(
        f"tracking URI: must be sqlite:///PATH or a server's http(s)://HOST, but got {redacted_uri(uri)!r}. "
        "Use any other store through `mlflow server`."
    )


def named_store(uri: str | None) -> str | None:
    """Return this URI of a store, or that of the environment; None where neither names one."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or None


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for a server."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def mlflow_uri(uri: str) -> str:
    """Return the URI of a store as MLflow takes it."""
    path = sqlite_path(uri)
    return uri if path is None else sqlite_uri(path)


def artifact_location(uri: str) -> str | None:
    """Return the artifact folder of a SQLite store as a file URI; None for a server, which has its own."""
    path = sqlite_path(uri)
    return None if path is None else artifacts_uri(path)


def open_store(uri: str, *, create: bool = True, follow: bool = True) -> Any:
    """Return an MlflowClient of a store that responds; a SQLite file is created or migrated first.

    With `create=False` a missing SQLite file is an error, and nothing is written but the paths of a store that was
    moved, and without `follow` not those either. Raises TrackingError, within about ten seconds, when the store cannot
    be read, or with `create` written.
    """
    mlflow = load_mlflow()
    path = sqlite_path(uri)
    if path and not create and not path.is_file():
        raise TrackingError(f"{redacted_uri(uri)}: no such file. Run a study first.")
    with (
        tracking_errors(uri),
        database_lock(path, create) if path and (create or follow) else contextlib.nullcontext(),
    ):
        if path:
            _check_sqlalchemy(uri)
            prepare_database(path, mlflow, create)
            if follow:
                follow_store(path)
            _forget_locations()
        else:
            _probe_server(uri)
        client = mlflow.MlflowClient(tracking_uri=mlflow_uri(uri), registry_uri=mlflow_uri(uri))
        client.search_experiments(max_results=1)
        return client


def _forget_locations() -> None:
    """Empty MLflow's table of run ids and their folders: a store and its copy have runs of the same ids."""
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()


def _check_sqlalchemy(uri: str) -> None:
    if importlib.util.find_spec("sqlalchemy") is None:
        raise TrackingError(
            f"cannot read {redacted_uri(uri)}: mlflow-skinny reads servers alone. "
            'Name an http(s) URI, or run `pip install "finetune-alf[pipeline]"`.'
        )


def quiet_environment() -> None:
    """Set what MLflow reads from the environment as it is imported, where the user has not set it."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def load_mlflow() -> Any:
    """Import MLflow without telemetry and logging. Raises TrackingError when it is not installed."""
    quiet_environment()
    try:
        mlflow = importlib.import_module("mlflow")
    except ModuleNotFoundError as error:
        raise TrackingError(
            f'{error}: MLflow is needed. Run `pip install "finetune-alf[pull]"` for the registry of a server, or '
            '`pip install "finetune-alf[pipeline]"` for that of a SQLite file.'
        ) from None
    let_interrupts_end_waits()
    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        # MLflow logs its errors with SQL and URLs; TrackingError has what a user needs.
        for library in ("mlflow", "alembic", "urllib3.connectionpool"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
    return mlflow


@contextlib.contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """Turn any error of the store's libraries into a TrackingError that names the store without its credentials."""
    try:
        yield
    except AlfError:
        raise
    except Exception as error:  # of requests, SQLAlchemy, sqlite3, MLflow or the operating system
        reason = redact(" ".join(str(error).split()), uri)[:300] or type(error).__name__
        raise TrackingError(
            f"cannot use the MLflow store {redacted_uri(uri)}: {type(error).__name__}: {reason}. Check the URI, that "
            "the server is up, that the folder is writable, and the free disk space."
        ) from None


def redacted_uri(uri: str) -> str:
    """Return a URI without user, password and query, for messages; a file's path may have a question mark."""
    if sqlite_path(uri) is not None:
        return uri
    return re.sub(r"(?<=//)[^/@]*@", "", uri.split("?")[0])


def redact(text: str, uri: str) -> str:
    """Return a message without the credentials of this store and of any URL in it."""
    parts = urlsplit(uri) if sqlite_path(uri) is None else None
    for secret in (parts.password, parts.username, parts.query) if parts else ():
        if secret:
            text = text.replace(secret, "***")
    return re.sub(r"(?<=//)[^/@\s'\"]*@", "***@", text)


def check_server(uri: str) -> None:
    """Raise TrackingError, without loading MLflow and within about five seconds, when no server responds there."""
    with tracking_errors(uri):
        _probe_server(uri)


def _probe_server(uri: str) -> None:
    """Raise within seconds when no server responds. The response does not matter: MLflow checks it later."""
    parts = urlsplit(uri)
    connection_type = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with contextlib.closing(connection_type(parts.hostname or "", parts.port, timeout=PROBE_TIMEOUT_S)) as connection:
        connection.request("GET", f"{parts.path}/health")
        connection.getresponse()
