"""Parcels: files that jobs read, brought to a machine that does not have them, and kept there under their digest."""

import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from finetune_alf.checksums import digest
from finetune_alf.errors import DataError
from finetune_alf.files import file_digest
from finetune_alf.folders import replace_folder

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Parcel:
    """Files by their names in the folder that they make, with slashes."""

    files: Mapping[str, Path]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names and the contents of the files."""
        return _digest(self.files)

    def contents(self) -> dict[str, bytes]:
        """Read the files."""
        return {name: path.read_bytes() for name, path in self.files.items()}


def cache_folder() -> Path:
    """Return the folder in which this machine keeps what it was brought.

    Raises DataError where it is another user's, or a symbolic link, which may lead to one.
    """
    folder = Path(tempfile.gettempdir()) / f"finetune-alf-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise DataError(f"{folder}: must be a folder of this user, but is none. Set TMPDIR to another folder.")
    return folder


def unpack(cache: Path, expected: str, contents: Mapping[str, bytes]) -> Path:
    """Return the folder of these contents, written unless it is there and whole; it appears at once or not at all.

    One worker at a time writes to the cache. Raises DataError when the contents do not have the expected digest.
    """
    if not _DIGEST.fullmatch(expected):
        raise DataError(f"cannot unpack what a job reads: the digest must be a SHA-256, but got {expected!r}.")
    folder = cache / expected
    if not _is_whole(folder, expected):
        with _locked(cache):
            if not _is_whole(folder, expected):  # another worker may have written it meanwhile
                _write(folder, expected, contents)
    return folder


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Wait until no other worker writes to the cache, and keep them from it; the end of the process frees the lock."""
    descriptor = os.open(cache, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(folder: Path, expected: str, contents: Mapping[str, bytes]) -> None:
    with replace_folder(folder) as made:
        for name, content in contents.items():
            path = made / _inside(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if (got := _digest(_files(made))) != expected:
            raise DataError(f"cannot unpack what a job reads: the digest must be {expected}, but got {got}.")


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"cannot unpack {name!r}: it lies outside its folder.")
    return path


def _is_whole(folder: Path, expected: str) -> bool:
    return folder.is_dir() and _digest(_files(folder)) == expected


def _files(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _digest(files: Mapping[str, Path]) -> str:
    return digest({name: file_digest(files[name]) for name in sorted(files)})
