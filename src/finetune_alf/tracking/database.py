"""The file of a SQLite store: made, checked and migrated by one process at a time.

Four processes that open a fresh one at once leave it unusable for ever, and so does a kill in the middle of making it
(MLflow 3.17): hence a lock, and another name until it is whole.
"""

import contextlib
import os
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
from finetune_alf.files import hold_lock

PROBE_S = 5.0
"""How long a store may take to answer its first question."""

_TURN_S = 120.0


@contextlib.contextmanager
def turn(path: Path, create: bool) -> Iterator[None]:
    """Wait for this process's turn at a SQLite store; who only reads where nothing can be written needs none."""
    if not create and not os.access(path.parent, os.W_OK):
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + _TURN_S
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(hold_lock(path.with_name(f".{path.name}.lock")))
                break
            except LockedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        yield


def prepare(path: Path, mlflow: Any, create: bool) -> None:
    """Have a database of this MLflow's schema at `path`, and fail now where MLflow would try again for 100 s."""
    if create:
        for folder in (path.parent, path.parent / "artifacts"):
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    if path.exists():
        revision = _probe(path, create)
        if revision not in (None, _newest_revision(mlflow)):
            _migrate(path, mlflow, create)
    else:
        _make(path, mlflow)


def _probe(path: Path, write: bool) -> str | None:
    """Return the revision of a database's schema; raises when it is none, is locked, or cannot be written."""
    mode = "rw" if write else "ro"
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", timeout=PROBE_S, uri=True)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if write:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")
        if "alembic_version" not in tables:
            return None
        (row,) = db.execute("SELECT max(version_num) FROM alembic_version")
        return str(row[0])


def _newest_revision(mlflow: Any) -> str | None:
    from alembic.script import ScriptDirectory

    scripts = Path(mlflow.__file__).parent / "store" / "db_migrations"
    return ScriptDirectory(str(scripts)).get_current_head()


def _make(path: Path, mlflow: Any) -> None:
    """Make a database under another name first: one whose making was cut short is unusable for ever."""
    for stale in path.parent.glob(f".{path.name}.new-*"):
        stale.unlink()
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}-{time.time_ns()}")
    uri = f"sqlite:///{fresh}"
    mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)
    os.replace(fresh, path)


def _migrate(path: Path, mlflow: Any, create: bool) -> None:
    """Bring an older MLflow's database up to date, in a process of its own, with the old one kept beside it."""
    if not create:
        raise TrackingError(
            f"{path}: must have this MLflow's schema to be read. Run `mlflow db upgrade sqlite:///{path}`."
        )
    backup = path.with_name(f"{path.name}.before-{mlflow.__version__}")
    if not backup.exists():  # one that is there is from before an attempt that was cut short
        half = path.with_name(f".{backup.name}.half")
        with contextlib.closing(sqlite3.connect(path)) as old, contextlib.closing(sqlite3.connect(half)) as kept:
            old.backup(kept)
        os.replace(half, backup)
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise TrackingError(
            f"{path}: must be a database that this MLflow can migrate, but got: {lines[-1][:200]}. "
            f"It may be a newer MLflow's: install that one. A copy from before the attempt is {backup}."
        )
