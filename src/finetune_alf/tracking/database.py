"""The SQLite file of an MLflow store: created, checked and migrated by one process at a time.

With MLflow 3.17, four processes that open a new file at once leave it unusable, and so does a kill while it is created.
So there is a lock, and the file is created under a temporary name.
"""

import contextlib
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from finetune_alf.errors import LockedError, TrackingError
from finetune_alf.locks import hold_lock
from finetune_alf.tracking.locations import ARTIFACTS

PROBE_TIMEOUT_S = 5.0
"""How long a store may take to answer the first request."""

_LOCK_TIMEOUT_S = 120.0


@contextlib.contextmanager
def database_lock(path: Path, create: bool) -> Iterator[None]:
    """Wait for the lock of a SQLite store; a reader in a folder that it cannot write to needs none."""
    if not create and not os.access(path.parent, os.W_OK):
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold_lock(path.with_name(f".{path.name}.lock")))
                break
            except LockedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield


def sqlite_uri(path: Path) -> str:
    """Return the URI by which MLflow opens a SQLite file: the plain one unless SQLAlchemy reads %20 or ? in it.

    Of a URI that names the driver as well, MLflow makes no folders, which it would call as the URI does.
    """
    from sqlalchemy import URL, make_url

    plain = f"sqlite:///{path}"
    is_read_so = make_url(plain).database == str(path)
    return plain if is_read_so else URL.create("sqlite+pysqlite", database=str(path)).render_as_string()


def prepare_database(path: Path, mlflow: Any, create: bool) -> None:
    """Create or migrate the database at `path`; fail at once where MLflow would retry for 100 s."""
    if create:
        for folder in (path.parent, path.parent / ARTIFACTS):
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        for stale in path.parent.glob(f".{path.name}.new-*"):
            stale.unlink()  # of a process that was killed: the lock is held
    if path.exists():
        revision = _schema_revision(path, create)
        if revision is None and not create:
            raise TrackingError(f"{path}: must be a store of MLflow, but has none of its tables. Check the path.")
        if revision not in (None, _newest_revision(mlflow)):
            _migrate(path, mlflow, create)
    else:
        _create(path, mlflow)


def _schema_revision(path: Path, write: bool) -> str | None:
    """Return a database's schema revision. Raises sqlite3.Error if it cannot be read, or with `write` written."""
    uri = f"file:{quote(str(path))}?mode={'rw' if write else 'ro'}"
    with contextlib.closing(sqlite3.connect(uri, timeout=PROBE_TIMEOUT_S, uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if write:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        if "alembic_version" not in tables:
            return None
        (row,) = connection.execute("SELECT max(version_num) FROM alembic_version")
        return str(row[0])


def _newest_revision(mlflow: Any) -> str | None:
    from alembic.script import ScriptDirectory

    scripts = Path(mlflow.__file__).parent / "store" / "db_migrations"
    return ScriptDirectory(str(scripts)).get_current_head()


def _create(path: Path, mlflow: Any) -> None:
    """Create a database under a temporary name first, because one whose creation was interrupted is unusable."""
    temporary = path.with_name(f".{path.name}.new-{os.getpid()}-{time.time_ns()}")
    uri = sqlite_uri(temporary)
    try:
        mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)
        os.replace(temporary, path)
    except BaseException:
        for half_made in path.parent.glob(f"{temporary.name}*"):
            half_made.unlink()  # it would take space on a full disk
        raise


def _migrate(path: Path, mlflow: Any, create: bool) -> None:
    """Migrate an older MLflow's database in a subprocess, with a backup beside it."""
    if not create:
        raise TrackingError(
            f"{path}: must have the schema of MLflow {mlflow.__version__} to be read. "
            f"Run `mlflow db upgrade {shlex.quote(sqlite_uri(path))}`."
        )
    backup = path.with_name(f"{path.name}.before-{mlflow.__version__}")
    if not backup.exists():  # an existing one is from before an interrupted migration
        partial = path.with_name(f".{backup.name}.half")
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(partial)) as target,
        ):
            source.backup(target)
        os.replace(partial, backup)
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", sqlite_uri(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise TrackingError(
            f"cannot migrate {path} to MLflow {mlflow.__version__}: {lines[-1][:200]}. "
            f"It may be a newer MLflow's: then install that version. {backup} is a backup from before the migration."
        )
