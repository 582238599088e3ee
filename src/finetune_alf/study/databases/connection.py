"""Connections to PostgreSQL: their settings, and which errors pass by waiting."""

import importlib.util
import time
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy.engine import ExceptionContext

from finetune_alf.errors import StudyError
from finetune_alf.study.databases.database import first_cause, root_cause
from finetune_alf.study.server import StudyServer

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10

PROBE_TIMEOUT_S = 3
"""How long a check before the fits waits for a connection."""

# A lost network is noticed within about a minute, by both sides: the default is two hours. A session that only holds
# the lock is idle for as long as a fit takes.
_CLIENT = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
    "application_name": "finetune-alf",
}
_SERVER = {
    "tcp_keepalives_idle": 30,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 3,
    "idle_session_timeout": 0,
}

_PASSING = ("08", "40", "53", "57", "25P03", "55P03")
"""SQLSTATEs, or their classes: connection, serialization, resources, shutdown, idle in transaction, lock timeout."""

_LASTING = ("57P04",)
"""The database was dropped."""

_REFUSALS = ("authentication failed", "no password supplied", "pg_hba.conf", "does not exist", "permission denied")
"""What a server says, without a SQLSTATE, to a connection that it will never take."""


class Unavailable(Exception):  # noqa: N818 - a state of the server, which `retry_while_unavailable` waits for
    """The server cannot be reached or used at the moment."""


def check_connection(server: StudyServer) -> None:
    """Connect to the server once, for at most PROBE_TIMEOUT_S seconds a host. Raises StudyError where that fails."""
    url = connect_url(server).update_query_dict({"connect_timeout": str(PROBE_TIMEOUT_S)})
    engine = sqlalchemy.create_engine(url, hide_parameters=True, poolclass=sqlalchemy.pool.NullPool)
    try:
        engine.connect().close()
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise StudyError(
            f"cannot use {server.place}: {root_cause(error)}. Check that the server is up, user, password and database."
        ) from None


def connect_url(server: StudyServer) -> sqlalchemy.URL:
    """Return the server's URL with our settings; those in the URL itself win. StudyError without a driver."""
    if importlib.util.find_spec("psycopg") is None:
        raise StudyError(
            f'cannot use {server.place}: psycopg is not installed. Run `pip install "finetune-alf[postgres]"`.'
        )
    url = sqlalchemy.make_url(server.url).set(drivername="postgresql+psycopg")
    options = " ".join(f"-c {name}={value}" for name, value in _SERVER.items())
    missing = {name: value for name, value in {**_CLIENT, "options": options}.items() if name not in url.query}
    return url.update_query_dict(missing)


def mark_unavailable(engine: sqlalchemy.Engine) -> None:
    """Let an engine raise Unavailable for what passes by waiting: Optuna would repeat a commit that may be done."""

    @sqlalchemy.event.listens_for(engine, "handle_error")
    def mark(context: ExceptionContext) -> None:
        if not context.is_pre_ping:
            raise_unavailable(context.original_exception)


def raise_unavailable(error: BaseException) -> None:
    """Raise Unavailable where the first of a chain of errors passes by waiting."""
    if passes(first_cause(error)):
        raise Unavailable(root_cause(error)) from None


def passes(error: BaseException) -> bool:
    """Whether an error of psycopg passes by waiting, as when the server restarts or has no connection left."""
    state = getattr(error, "sqlstate", None)
    if state:
        return state.startswith(_PASSING) and state not in _LASTING
    return type(error).__name__ in ("OperationalError", "InterfaceError") and not any(
        refusal in str(error) for refusal in _REFUSALS
    )


def retry_while_unavailable(action: Callable[[], T], timeout_s: float, on_wait: Callable[[Unavailable], Any]) -> T:
    """Return what an action returns, repeated while the server is unavailable; Unavailable after `timeout_s` of it.

    `on_wait` is called before the first wait.
    """
    deadline, pause_s = time.monotonic() + timeout_s, 0.1
    waited = False
    while True:
        try:
            return action()
        except Unavailable as error:
            if time.monotonic() + pause_s > deadline:
                raise
            if not waited:
                on_wait(error)
        waited = True
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 5.0)
