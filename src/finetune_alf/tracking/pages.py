"""MLflow's pages over a SQLite store: the server that shows them."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import IO

from finetune_alf.errors import InputError, TrackingError
from finetune_alf.tracking.locations import artifacts_uri
from finetune_alf.tracking.store import QUIET, mlflow_uri, redacted_uri, sqlite_path

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
_POLL_S = 0.1
_END_TIMEOUT_S = 1.0

_SETTINGS = {
    **QUIET,
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # runners of scorers and the like, which take seconds to start
    "MLFLOW_ENABLE_AI_GATEWAY": "false",  # connections to language models
}


@contextlib.contextmanager
def page_server(uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start MLflow's server over a SQLite store, wait until it answers, and end it with the block.

    Raises InputError for a port that is taken, and TrackingError with the server's own words where it ends instead.
    """
    path = sqlite_path(uri)
    assert path is not None  # noqa: S101
    _check_port(port)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", mlflow_uri(uri), "--host", HOST]
    command += ["--port", str(port), "--workers", "1", "--artifacts-destination", artifacts_uri(path)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: S603 - our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=path.parent,
            env={**os.environ, **_SETTINGS},
            start_new_session=True,  # Ctrl-C is for this process, which ends the server and its workers
        )
        try:
            _wait(server, uri, port, log)
            yield server
        finally:
            _end(server)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be used: {error.strerror}. Name another one with --port.") from None


def _wait(server: subprocess.Popen[bytes], uri: str, port: int, log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(port):
        if server.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            words = " ".join(log.read().decode("utf-8", "replace").split())[-500:] or "no reason given"
            raise TrackingError(f"MLflow's server over {redacted_uri(uri)} does not answer: {words}.")
        time.sleep(_POLL_S)


def _answers(port: int) -> bool:
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its workers; MLflow's own process waits for minutes where it alone gets the signal."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_END_TIMEOUT_S)
            return
