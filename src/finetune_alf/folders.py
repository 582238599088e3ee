"""Folders that are replaced as a whole, without a moment in which there is none.

A folder is made beside its place, under the name `.<name>.new`. On Linux the system then exchanges the two. Where it
cannot, the former folder is renamed to `.<name>.old` first. What a killed process has left is put right, or removed, by
the next one that replaces the folder. One process at a time may do that: its caller holds a lock.
"""

import contextlib
import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from finetune_alf.crashpoint import crashpoint
from finetune_alf.os_errors import named_errors

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


@contextlib.contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder, and replace `path` by it once the block ends without an error.

    Raises StorageError, naming the path, when the system refuses; the former folder is kept.
    """
    with temporary_folder(path) as new:
        yield new
        with named_errors("write", path):
            new.chmod(0o755)
            crashpoint("folder-replace-before")
            _put_in_place(new, path)
            crashpoint("folder-replace-after")


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, and remove it after the block; that of a killed process is removed first."""
    new = path.with_name(f".{path.name}.new")
    with named_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        new.mkdir()
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if path.exists():  # otherwise it is the only one there is
            shutil.rmtree(_former(path), ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Put the former folder back where a killed process had taken it away, and remove what else it has left."""
    for former in (_former(path), *_left_over(path, r"\.[a-z0-9_]{8}\.previous")):
        if former.exists() and not path.exists():
            os.replace(former, path)
    for left in (path.with_name(f".{path.name}.new"), _former(path), *_left_over(path, r"\.[a-z0-9_]{8}(\.previous)?")):
        shutil.rmtree(left, ignore_errors=True)


def _former(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _left_over(path: Path, ending: str) -> list[Path]:
    """Return what earlier versions of this package have left beside a folder."""
    name = re.compile(re.escape(f".{path.name}") + ending)
    return [each for each in path.parent.iterdir() if name.fullmatch(each.name)]


def _put_in_place(new: Path, path: Path) -> None:
    if not path.exists():
        os.replace(new, path)
    elif not _exchange(new, path):
        former = _former(path)
        os.replace(path, former)
        crashpoint("folder-taken-away")
        try:
            os.replace(new, path)
        except OSError:
            os.replace(former, path)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # glibc 2.28
    names = (os.fsencode(one), os.fsencode(other))
    return rename is not None and rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
