"""Atomic writes of files, and reads that name the file in every error."""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from finetune_alf.crashpoint import crashpoint
from finetune_alf.errors import InputError, StorageError
from finetune_alf.os_errors import check_regular, named_errors, os_error_message
from finetune_alf.paths import way_out_of


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically, through a temporary file in the same folder.

    Raises StorageError, naming the path, when the system refuses; the old content is kept.
    """
    check_regular(path)
    with named_errors("write", path), _written_beside(path, data) as temporary:
        crashpoint("file-rename-before")
        os.replace(temporary, path)
        crashpoint("file-rename-after")


def write_once(path: Path, text: str) -> str:
    """Write UTF-8 text unless the file is there, and return what it holds: of several writers, the first one wins.

    Raises StorageError, naming the path, when the system refuses.
    """
    with named_errors("write", path):
        with _written_beside(path, text.encode()) as temporary:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename, a link replaces nothing
            temporary.unlink()
        return path.read_text("utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


@contextlib.contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """Yield a synced file with this content beside `path`; the block gives it its name, or removes it.

    One process at a time has its lock. What a killed process leaves, the next write of the same file takes over.
    """
    temporary = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _open_locked(temporary) as file:
        try:
            file.truncate()
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)
            yield temporary
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _open_locked(path: Path) -> IO[bytes]:
    """Open a file for writing once no other process has it open in this way."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # its former writer has renamed or removed it


def read_bytes(path: Path) -> bytes:
    """Read a file; raises InputError when it is missing, StorageError when the system refuses, both with the path."""
    check_regular(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"cannot read {path}: no such file. {way_out_of(path)}") from None
    except OSError as error:
        raise StorageError(os_error_message(error, "read", path)) from error


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    check_regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
