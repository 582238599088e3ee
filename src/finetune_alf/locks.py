"""Locks on files, which the system releases when their process ends."""

import contextlib
import datetime
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from finetune_alf.errors import LockedError
from finetune_alf.mounts import check_local
from finetune_alf.os_errors import check_regular, named_errors

TAKE_OVER_S = 5.0
"""How long a lock may outlive its owner: a child that the owner was starting as it was killed has the lock as well,
until it runs its own program."""

_POLL_S = 0.05


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file; the system releases it when this process ends, even by a kill.

    Yields the lock's file descriptor. Raises LockedError, naming the owner, when another process holds it, and
    StorageError where the file is on a network file system.
    """
    check_regular(path)
    check_local(path)
    with named_errors("lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, path)
        _write_owner(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def lock_holder(path: Path) -> str | None:
    """Return who holds a lock now, such as `process 7 on host, since ...`; None where nobody does."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner(path).rstrip(",")
    return None


def _take(descriptor: int, path: Path) -> None:
    """Lock a file that is open; only for an owner that has ended is there a wait."""
    until = time.monotonic() + TAKE_OVER_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until or not _owner_has_ended(path):
                raise LockedError(
                    f"cannot lock {path}: {_owner(path)} holds the lock. Wait for that process to end, or stop it."
                ) from None
        time.sleep(_POLL_S)


def _owner_has_ended(path: Path) -> bool:
    """Return whether the owner that a file names was a process of this machine, and is none any more."""
    try:
        owner = json.loads(path.read_text())
        if owner["host"] == socket.gethostname():
            os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError, OverflowError):
        pass
    return False


def _write_owner(descriptor: int) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}).encode(), 0)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} on {owner['host']}, since {owner['since']},"
    except (ValueError, KeyError, TypeError, OSError):
        return "another process"
