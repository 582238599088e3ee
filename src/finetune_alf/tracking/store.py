"""Where MLflow keeps things: addresses of stores, opening one safely, and errors that name it without its secrets.

A store is a server, or a SQLite file (`database`) with its artifacts in `artifacts/` beside it.
"""

import contextlib
import http.client
import importlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from finetune_alf.errors import AlfError, TrackingError
from finetune_alf.paths import Paths
from finetune_alf.tracking.database import PROBE_S, prepare, turn

_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own 120 s and 7 retries block for four minutes a call when a server is down.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


def tracking_uri(root: Path, uri: str | None = None) -> str:
    """Return the absolute URI of a store: a SQLite file below `root`, or the one that is named.

    A relative `sqlite:///file.db` is taken from `root`. Raises TrackingError for anything but SQLite and http(s).
    """
    if uri is None:
        return f"sqlite:///{(Paths(root).mlruns / 'mlflow.db').absolute()}"
    if re.match(r"https?://[^/?#]*[^/?#@:\[\]]", uri):
        return uri.rstrip("/")
    if uri.startswith("sqlite:///") and not uri.removeprefix("sqlite:///").startswith((":memory:", "?")):
        return f"sqlite:///{(root.absolute() / uri.removeprefix('sqlite:///'))}"
    raise TrackingError(
        f"{shown(uri)}: must be sqlite:///PATH or a server's http(s)://HOST. "
        "Put any other store behind `mlflow server`."
    )


def database(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for a server."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def artifact_location(uri: str) -> str | None:
    """Return where a SQLite store's artifacts lie, as a file URI; None for a server, which knows itself."""
    path = database(uri)
    return None if path is None else (path.parent / "artifacts").as_uri()


def open_store(uri: str, *, create: bool = True) -> Any:
    """Return an MlflowClient whose store answers, made or migrated first where needed.

    With `create=False` a missing SQLite file is an error and nothing is written beside it. Raises TrackingError,
    within about ten seconds, when the store cannot be read, or with `create` written.
    """
    mlflow = load_mlflow()
    path = database(uri)
    if path and not create and not path.is_file():
        raise TrackingError(f"{shown(uri)}: must be there to be read, but there is no such file. Run the study first.")
    with told(uri), turn(path, create) if path else contextlib.nullcontext():
        if path:
            prepare(path, mlflow, create)
        else:
            _probe_server(uri)
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
        return client


def load_mlflow() -> Any:
    """Import MLflow with its telemetry off and its log lines still; TrackingError when it is not installed."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        mlflow = importlib.import_module("mlflow")
    except ModuleNotFoundError as error:
        raise TrackingError(
            f'MLflow: must be installed, but got {error}. Run `pip install "finetune-alf[pipeline]"`.'
        ) from None
    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        # What MLflow logs as it fails, SQL and URLs included, is in the TrackingError that follows.
        for vendor in ("mlflow", "alembic", "urllib3.connectionpool"):
            logging.getLogger(vendor).setLevel(logging.CRITICAL)
    return mlflow


@contextlib.contextmanager
def told(uri: str) -> Iterator[None]:
    """Turn whatever the store's libraries raise into a TrackingError that names the store and no secret."""
    try:
        yield
    except AlfError:
        raise
    except Exception as error:  # requests', SQLAlchemy's, sqlite3's, MLflow's and the system's own
        reason = scrubbed(" ".join(str(error).split()), uri)[:300] or type(error).__name__
        raise TrackingError(
            f"{shown(uri)}: must be an MLflow store that can be used, but got {type(error).__name__}: {reason}. "
            "Check that the address is right, the server up, the folder writable and the disk not full."
        ) from None


def shown(uri: str) -> str:
    """Return a URI as it may be printed: without user, password and query."""
    return re.sub(r"(?<=//)[^/@]*@", "", uri.split("?")[0])


def scrubbed(text: str, uri: str) -> str:
    """Return a message without the credentials of any URL in it, or those of this store."""
    parts = urlsplit(uri) if database(uri) is None else None
    for secret in (parts.password, parts.username, parts.query) if parts else ():
        if secret:
            text = text.replace(secret, "***")
    return re.sub(r"(?<=//)[^/@\s'\"]*@", "***@", text)


def _probe_server(uri: str) -> None:
    """Fail within seconds when nothing answers there; what answers, and how, is for MLflow to judge."""
    parts = urlsplit(uri)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with contextlib.closing(kind(parts.hostname or "", parts.port, timeout=PROBE_S)) as connection:
        connection.request("GET", f"{parts.path}/health")
        connection.getresponse()
