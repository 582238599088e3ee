"""Where a SQLite store's artifacts lie: MLflow keeps absolute paths, and a moved or copied store gets new ones.

Artifacts lie in `artifacts/` beside the database. MLflow has no call that moves an experiment, so its tables are
updated, those alone that hold such a path.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

ARTIFACTS = "artifacts"

_TIMEOUT_S = 5.0

_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""The columns of MLflow that hold the path of an artifact folder."""

_OURS = """
SELECT DISTINCT artifact_location FROM experiments
WHERE artifact_location LIKE 'file://%/artifacts' AND artifact_location != ? AND experiment_id IN (
    SELECT experiment_id FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid WHERE tags.key = 'alf.key'
)
"""
"""The artifact folders of experiments that have runs of this package: where this store has been."""


def artifacts_uri(path: Path) -> str:
    """Return the artifact folder of a SQLite store as a file URI."""
    return (path.parent / ARTIFACTS).as_uri()


def follow_store(path: Path) -> None:
    """Let a store that was moved or copied find its artifacts beside it. A store that cannot be written is left.

    A path whose files are at the old place alone stays as it is.
    """
    here = artifacts_uri(path)
    uri = f"file:{quote(str(path))}?mode=rw"
    with (
        contextlib.suppress(sqlite3.OperationalError),  # a file that cannot be written, or is no store yet
        contextlib.closing(sqlite3.connect(uri, timeout=_TIMEOUT_S, uri=True)) as db,
    ):
        moved = [old for (old,) in db.execute(_OURS, (here,)) if _is_missing(old) or _has_files(here)]
        if moved:
            _move(db, moved, here)


def _move(db: sqlite3.Connection, moved: list[str], here: str) -> None:
    with db:
        for table, column in _columns_there(db):
            for old in moved:
                db.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own names
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here, len(old) + 1, old, len(old) + 1, f"{old}/"),
                )


def _columns_there(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield the columns that this version of MLflow has."""
    for table, column in _LOCATIONS:
        if column in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
            yield table, column


def _is_missing(uri: str) -> bool:
    return not _folder(uri).is_dir()


def _has_files(uri: str) -> bool:
    folder = _folder(uri)
    return folder.is_dir() and any(folder.iterdir())


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
