"""A study in a SQLite file of its own, `studies/<name>-<digest8>.db`."""

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from finetune_alf.errors import InputError, StudyError
from finetune_alf.study.databases.database import IDENTITY, KnownStudy, T, close_storage, optuna_storage, root_cause
from finetune_alf.study.identity import database_path, study_databases

BUSY_TIMEOUT_S = 300.0
"""How long a write waits while another process reads the database, such as a dashboard or a backup."""


class SqliteDatabase:
    """A StudyDatabase in a file; its one writer holds the lock of the study's name in the same folder."""

    def __init__(self, folder: Path, name: str, identity: Mapping[str, Any]) -> None:
        self.path = database_path(folder, name, identity)
        self.name = self.study_name = name
        self.key = self.path.stem

    @property
    def place(self) -> str:
        """The file's path."""
        return str(self.path)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Do nothing: the lock of the study's name is that of the file."""
        yield

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def identity(self) -> dict[str, Any]:
        """Check the file, and return the identity in it."""
        return check_database(self.path)

    def create(self, write: Callable[[optuna.storages.RDBStorage], None]) -> None:
        """Write tables and study in a temporary folder, so that a file at `path` is always complete."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            storage_errors(self.path),
            tempfile.TemporaryDirectory(dir=self.path.parent, prefix=f".{self.path.name}.") as folder,
        ):
            storage = _storage(Path(folder) / self.path.name)
            write(storage)
            close_storage(storage)
            os.replace(Path(folder) / self.path.name, self.path)

    def of_this_name(self) -> Iterator[KnownStudy]:
        """Yield the files of this study's name, the one that was written last first."""
        for path in study_databases(self.path.parent, self.name):
            try:
                yield KnownStudy(str(path), check_database(path))
            except StudyError as error:
                yield KnownStudy(str(path), error)

    def connect(self) -> optuna.storages.RDBStorage:
        """Return Optuna's storage of the file."""
        return self.run(lambda: _storage(self.path))

    def run(self, action: Callable[[], T]) -> T:
        """Run an action once."""
        with storage_errors(self.path):
            return action()


def check_database(path: Path) -> dict[str, Any]:
    """Return the identity of the study in a file. Raises StudyError if the file is damaged or not a study's.

    Opening the file completes or rolls back the transaction of a killed process.
    """
    with storage_errors(path), contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        _check_trials(connection)
        connection.execute("PRAGMA journal_mode=DELETE")  # WAL has a corruption bug before SQLite 3.51.3
        query = "SELECT value_json FROM study_user_attributes WHERE key = ?"
        row = connection.execute(query, (IDENTITY,)).fetchone()
        if row is None:
            raise sqlite3.DatabaseError("it contains no study")
        identity: dict[str, Any] = json.loads(row[0])
        return identity


def _check_trials(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError where a row belongs to nothing, or a number has no trial."""
    if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
        raise sqlite3.DatabaseError("a row that belongs to no trial")
    count, highest = connection.execute("SELECT count(DISTINCT number), max(number) FROM trials").fetchone()
    if count and count != highest + 1:
        raise sqlite3.DatabaseError("a number without a trial")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite, SQLAlchemy and Optuna into a StudyError."""
    try:
        yield
    except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError, optuna.exceptions.StorageInternalError) as error:
        if "no such table" in str(error):
            raise _damaged(path, error) from error
        raise StudyError(
            f"cannot read or write the study's database {path}: {root_cause(error)}. Check the free disk space, the "
            "file's permissions and which processes have it open, then run the same command again to resume."
        ) from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error


_DAMAGE = (sqlite3.DatabaseError, sqlalchemy.exc.SQLAlchemyError, RuntimeError, LookupError, ValueError, InputError)


def _damaged(path: Path, error: BaseException) -> StudyError:
    return StudyError(
        f"{path}: must be an intact study database, but got {root_cause(error)}. Restore a backup, or move the file "
        "away to start the study from the beginning."
    )


def _storage(path: Path) -> optuna.storages.RDBStorage:
    url = sqlalchemy.URL.create("sqlite", database=str(path)).render_as_string()
    return optuna_storage(url, engine_kwargs={"connect_args": {"timeout": BUSY_TIMEOUT_S}})
