"""Atomic writes of files and folders, JSON and JSON Lines, digests, and file locks."""

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from finetune_alf.errors import InputError, LockedError, StorageError

_WAYS_OUT = {
    errno.ENOSPC: "Free space on that disk, then run the same command again.",
    errno.EDQUOT: "Free space in your quota, then run the same command again.",
    errno.EACCES: "Check the permissions of the file and of its folder.",
    errno.EPERM: "Check the permissions of the file and of its folder.",
    errno.EROFS: "Use a folder on a file system that can be written.",
    errno.ENOENT: "Check the path.",
}


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically, through a temporary file in the same folder.

    Raises StorageError, naming the path, when the system refuses; the old content is kept.
    """
    with _named("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_once(path: Path, text: str) -> str:
    """Write UTF-8 text unless the file is there, and return what it holds: of several writers, the first one wins.

    Raises StorageError, naming the path, when the system refuses.
    """
    with _named("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename, a link replaces nothing
        finally:
            Path(temporary).unlink(missing_ok=True)
        return path.read_text("utf-8")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write one JSON document atomically, indented."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[object]) -> None:
    """Write one JSON document a line, atomically."""
    write_text(path, "".join(json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n" for row in rows))


def append_jsonl(path: Path, row: object) -> None:
    """Append one JSON document as a line; raises StorageError, naming the path, when the system refuses."""
    with _named("write", path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON document; raises InputError, naming the file, when it is missing or not JSON."""
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: must be JSON, but got {error}. Run the stage that writes it again.") from None


def read_jsonl(path: Path) -> list[Any]:
    """Read one JSON document a line; raises InputError, naming file and line, when it is missing or not JSON."""
    rows = []
    for number, line in enumerate(lines_of(_read(path)), start=1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}:{number}: must be JSON, but got {error}. Run the stage that writes it again."
            ) from None
    return rows


def lines_of(data: bytes) -> list[bytes]:
    """Return the lines of a JSONL file; `splitlines` would also split at U+2028 and others, which JSON leaves as is."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def canonical_json(value: object) -> str:
    """Return the canonical JSON text of a value: keys sorted, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON, as 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, and replace `path` by it once the block ends without an error.

    Raises StorageError, naming the path, when the system refuses.
    """
    with _named("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield temporary
        with _named("write", path):
            temporary.chmod(0o755)
            previous = temporary.with_name(f"{temporary.name}.previous")
            if path.exists():
                os.replace(path, previous)  # deleting it first would lose both, if the new one could not be renamed
            try:
                os.replace(temporary, path)
            except OSError:
                if previous.exists():
                    os.replace(previous, path)
                raise
            shutil.rmtree(previous, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file; the system releases it when this process ends, even by a kill.

    Yields the lock's file descriptor. Raises LockedError, naming the owner, when another process holds it.
    """
    with _named("lock", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"cannot lock {path}: {_owner(path)} holds the lock. Wait for that process to end, or stop it."
            ) from None
        _write_owner(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def os_error_reason(error: OSError) -> str:
    """Return the reason of an error of the operating system, such as `no space left on device`."""
    reason = (error.strerror or str(error) or type(error).__name__).rstrip(".")
    return reason[0].lower() + reason[1:] if reason[1:2].islower() else reason


def os_error_message(error: OSError, action: str = "access", path: Path | None = None) -> str:
    """Return `cannot <action> <path>: <reason>.` and one sentence on the way out."""
    place = path or error.filename
    way_out = _WAYS_OUT.get(error.errno or 0, "Check the path and the disk, then run the same command again.")
    failure = f"cannot {action} {place}" if place else "the operating system refused"
    return f"{failure}: {os_error_reason(error)}. {way_out}"


@contextlib.contextmanager
def _named(action: str, path: Path) -> Iterator[None]:
    """Raise StorageError, naming action and path, for an error of the operating system in the block."""
    try:
        yield
    except OSError as error:
        raise StorageError(os_error_message(error, action, path)) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"cannot read {path}: no such file. Run the stage that writes it.") from None
    except OSError as error:
        raise StorageError(os_error_message(error, "read", path)) from error


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
