"""A study on a PostgreSQL server, which studies and projects share.

A coordinator has two connections: one holds the lock (`lease.py`), the other is Optuna's.
"""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import optuna
import sqlalchemy
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from finetune_alf.checksums import digest
from finetune_alf.errors import InputError, StudyError
from finetune_alf.study.databases.connection import (
    Unavailable,
    connect_url,
    mark_unavailable,
    raise_unavailable,
    retry_while_unavailable,
)
from finetune_alf.study.databases.database import IDENTITY, KnownStudy, T, close_storage, optuna_storage, root_cause
from finetune_alf.study.databases.lease import LEASES, Lease, lock_key
from finetune_alf.study.server import StudyServer

logger = logging.getLogger(__name__)

_ONE_CONNECTION = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}

START_TIMEOUT_S = 30.0
"""How long a start waits for the server: nothing has been fitted yet."""

UNAVAILABLE_TIMEOUT_S = 300.0
"""How long a study waits for the server."""

_IDENTITIES = text(
    "SELECT s.study_name, a.value_json FROM studies s JOIN study_user_attributes a USING (study_id) "
    "LEFT JOIN finetune_alf_leases l ON l.study = s.study_name "
    "WHERE a.key = :key AND starts_with(s.study_name, :begin) ORDER BY l.since DESC NULLS LAST"
)


class PostgresDatabase:
    """A StudyDatabase on a server, under `<project>/<name>/<digest16>`; `resume` is the command that goes on."""

    def __init__(self, server: StudyServer, name: str, identity: Mapping[str, Any], resume: str) -> None:
        self.name, self.key = name, f"{name}-{digest(identity)[:8]}"
        self._names = f"{server.project}/{name}/"
        self.study_name = f"{self._names}{digest(identity)[:16]}"
        self.place = f"{server.place}, study {self.study_name}"
        self._server, self._resume, self._url = server, resume, connect_url(server)
        self._engine = sqlalchemy.create_engine(
            self._url, hide_parameters=True, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        mark_unavailable(self._engine)
        self._lease = Lease(self._engine, self.study_name, self.place)
        self._timeout_s = START_TIMEOUT_S

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the study's lock, for which the tables are created where they are missing."""
        try:
            self.run(self._create_tables)
            self.run(self._lease.take)
            self._timeout_s = UNAVAILABLE_TIMEOUT_S
            yield
        finally:
            self._lease.close()

    def exists(self) -> bool:
        """Whether the study is there, and complete."""
        return bool(self._identities(self.study_name))

    def identity(self) -> dict[str, Any]:
        """Return the study's identity."""
        for _, identity in self._identities(self.study_name):
            return identity
        raise StudyError(f"{self.place}: must be a study, but has no identity.")

    def create(self, write: Callable[[optuna.storages.RDBStorage], None]) -> None:
        """Write the study; it is complete once it has its identity, and a start that finds it without goes on."""

        def create() -> None:
            with self._storage_for_now() as storage:
                write(storage)

        self.run(create)

    def of_this_name(self) -> Iterator[KnownStudy]:
        """Yield the studies of this project and name, the one that was taken last first."""
        for name, identity in self._identities(self._names):
            yield KnownStudy(f"{self._server.place}, study {name}", identity)

    def connect(self) -> optuna.storages.RDBStorage:
        """Return Optuna's storage; under `writing`, each of its commits checks that this process is the writer."""
        return self.run(self._storage)

    def run(self, action: Callable[[], T]) -> T:
        """Run an action while this process holds the lock; wait up to 5 minutes while the server cannot be used."""

        def locked() -> T:
            self._lease.keep()
            return action()

        try:
            return retry_while_unavailable(locked, self._timeout_s, self._warn)
        except Unavailable as error:
            raise StudyError(
                f"cannot use {self.place}: no answer for {self._timeout_s:.0f} s, the last was {error}. Finished "
                f"trials are kept. Once the server answers, resume with `{self._resume}`."
            ) from None
        except (ValueError, LookupError, InputError) as error:
            raise StudyError(
                f"{self.place}: must be an intact study, but got {root_cause(error)}. Restore a backup of the server's "
                "database, or delete the study with `optuna delete-study` to start it from the beginning."
            ) from error
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as error:
            raise StudyError(
                f"cannot use {self.place}: {root_cause(error)}. Check user, password and database, and that the user "
                "may create tables there."
            ) from error

    def _warn(self, error: Unavailable) -> None:
        logger.warning("waiting up to %.0f s for %s: %s.", self._timeout_s, self.place, error)

    def _identities(self, begin: str) -> list[tuple[str, dict[str, Any]]]:
        """Return names and identities of the studies whose names begin so, the one that was taken last first."""

        def find() -> list[tuple[str, dict[str, Any]]]:
            with self._engine.connect() as connection:
                if connection.execute(select(func.to_regclass(LEASES.name))).scalar_one() is None:
                    return []
                rows = connection.execute(_IDENTITIES, {"key": IDENTITY, "begin": begin})
                return [(row.study_name, json.loads(row.value_json)) for row in rows]

        return self.run(find)

    def _create_tables(self) -> None:
        """Create Optuna's tables and ours, one process after the other; StudyError for tables of another Optuna."""
        key = lock_key("")
        with self._engine.connect() as connection:
            connection.execute(select(func.pg_advisory_lock(key)))  # the end of the connection frees it
            LEASES.create(connection, checkfirst=True)
            # Optuna opens a second connection within the first: in this pool both are one.
            with self._storage_for_now(create=True, poolclass=StaticPool):
                pass

    @contextlib.contextmanager
    def _storage_for_now(self, **options: Any) -> Iterator[optuna.storages.RDBStorage]:
        storage = self._storage(**options)
        try:
            yield storage
        finally:
            close_storage(storage)

    def _storage(self, *, create: bool = False, **options: Any) -> optuna.storages.RDBStorage:
        try:
            storage = optuna_storage(
                self._url.render_as_string(hide_password=False),
                engine_kwargs={"hide_parameters": True, **(options or _ONE_CONNECTION)},
                skip_table_creation=not create,
                skip_compatibility_check=not create,
            )
        except (sqlalchemy.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
            raise_unavailable(error)
            raise
        mark_unavailable(storage.engine)
        if self._lease.counter is not None:
            sqlalchemy.event.listen(storage.scoped_session, "before_commit", self._check_writer)
        return storage

    def _check_writer(self, session: Session) -> None:
        self._lease.check(session, share=True)
