"""The right to write a study on a server: an advisory lock, and a counter that each process raises when it takes it.

A session that ends loses its lock, and another process may take it before this one notices. So each transaction that
writes checks that the counter is still that of its process. The check locks the row against a rise until the commit.
Kleppmann, "How to do distributed locking" (2016), calls the counter a fencing token.
"""

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import BigInteger, Column, DateTime, Integer, String, Table, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from finetune_alf.errors import LockedError
from finetune_alf.study.databases.connection import Unavailable

RELEASE_S = 1.0
"""How long the lock is waited for: the server frees that of a killed process once it reads that its end is gone."""

LEASES = Table(
    "finetune_alf_leases",
    sqlalchemy.MetaData(),
    Column("study", String(512), primary_key=True),
    Column("counter", BigInteger, nullable=False),
    Column("host", String(256), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)
"""For each study the process that took it last, and how often it was taken."""


@dataclass
class Lease:
    """The lock on a study, on a connection of its own, and the counter since it was taken."""

    engine: sqlalchemy.Engine
    study: str
    place: str
    counter: int | None = None
    _connection: sqlalchemy.Connection | None = None

    def take(self) -> None:
        """Take the lock and raise the counter; LockedError names the process that holds it.

        Of two calls, as after an answer that was lost, the second raises the counter once more.
        """
        with self._dropping():
            self._lock(RELEASE_S)
            row = {"host": socket.gethostname()[:256], "pid": os.getpid(), "since": func.now()}
            new = insert(LEASES).values(study=self.study, counter=1, **row)
            taken = new.on_conflict_do_update(
                index_elements=[LEASES.c.study], set_={"counter": LEASES.c.counter + 1, **row}
            )
            self.counter = self._connect().execute(taken.returning(LEASES.c.counter)).scalar_one()

    def keep(self) -> None:
        """Lock the study again if the connection was lost; LockedError if another process has had it meanwhile."""
        if self.counter is None:
            return
        if self._connection is not None:
            try:
                with self._dropping():
                    self._connection.execute(sqlalchemy.text("SELECT 1"))
                    return
            except Unavailable:
                pass  # the lock went with the connection
        with self._dropping():
            try:
                self._lock(0)
            except LockedError:
                self.check(self._connect())
                raise Unavailable("the server has not noticed yet that the former connection was lost") from None
            self.check(self._connect())

    def check(self, connection: sqlalchemy.Connection | Session, share: bool = False) -> None:
        """Raise LockedError unless the counter is that of this process; with `share` it stays so until the commit."""
        query = sqlalchemy.select(LEASES.c.counter).where(LEASES.c.study == self.study)
        counter = connection.execute(query.with_for_update(read=True) if share else query).scalar_one_or_none()
        if counter != self.counter:
            raise LockedError(
                f"cannot write {self.place}: {self._owner()} has taken the study over while this process had lost its "
                "connection. What was finished before is kept, and that process goes on with it."
            )

    def close(self) -> None:
        """Close the connection, and with it free the lock."""
        self.counter = None
        self._drop()

    def _connect(self) -> sqlalchemy.Connection:
        if self._connection is None:
            self._connection = self.engine.connect()
        return self._connection

    def _lock(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        query = sqlalchemy.select(func.pg_try_advisory_lock(lock_key(self.study)))
        while not self._connect().execute(query).scalar_one():
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"cannot write {self.place}: {self._owner()} is writing it. Wait for that process to end, or stop "
                    "it."
                )
            time.sleep(0.05)

    def _owner(self) -> str:
        query = sqlalchemy.select(LEASES.c.host, LEASES.c.pid, LEASES.c.since).where(LEASES.c.study == self.study)
        row = self._connect().execute(query).one_or_none()
        if row is None:
            return "another process"
        return f"process {row.pid} on {row.host}, since {row.since.isoformat(timespec='seconds')},"

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        """Drop the connection when the block finds the server unavailable."""
        try:
            yield
        except Unavailable:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def lock_key(name: str) -> int:
    """Return the number, 64 bits with sign, of the advisory lock of this name."""
    return int.from_bytes(hashlib.sha256(f"finetune_alf/{name}".encode()).digest()[:8], "big", signed=True)
