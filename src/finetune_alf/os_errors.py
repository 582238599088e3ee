"""Errors of the operating system, with the path and the way out; paths that are no regular files."""

import contextlib
import errno
import stat
from collections.abc import Iterator
from pathlib import Path

from finetune_alf.errors import InputError, StorageError

_WAYS_OUT = {
    errno.ENOSPC: "Free space on that disk, then run the same command again.",
    errno.EFBIG: "Raise the limit on the size of files, as `ulimit -f` prints it, then run the same command again.",
    errno.EDQUOT: "Free space in your quota, then run the same command again.",
    errno.EACCES: "Check the permissions of the file and of its folder.",
    errno.EPERM: "Check the permissions of the file and of its folder.",
    errno.EROFS: "Use a folder on a file system that can be written.",
    errno.ENOENT: "Check the path.",
}

_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_regular(path: Path, error: type[InputError] = InputError) -> None:
    """Raise an error that names the path of a pipe, a socket or a device: to open one can wait for ever.

    So it does for a text that no system takes as a path, with a NUL or half a character. Nothing is raised where there
    is no file; who opens it says so.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    except ValueError as reason:
        raise error(f"{str(path)!r}: must be a path, but got {reason}. Name a file.") from None
    for is_special, name in _SPECIAL:
        if is_special(mode):
            raise error(f"{path}: must be a regular file, but is {name}. Name a file.")


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
def named_errors(action: str, path: Path) -> Iterator[None]:
    """Raise StorageError, naming action and path, for an error of the operating system in the block."""
    try:
        yield
    except OSError as error:
        raise StorageError(os_error_message(error, action, path)) from error
