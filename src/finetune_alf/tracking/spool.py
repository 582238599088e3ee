"""The spool: files of the calls of Trackers, one call a line, which wait until they are made.

Each start of a stage has a file of its own, `<key of the parent run>.<time>.jsonl`, which the stage holds a lock on. A
stage appends to it and never waits. `replay.py` makes the calls. The file goes away once all of them are made; until
then later starts, and `finetune-alf sync`, make them.
"""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finetune_alf.checksums import parse_checked
from finetune_alf.clock import now_ms
from finetune_alf.json_files import json_line
from finetune_alf.os_errors import named_errors
from finetune_alf.tracking.calls import (
    Call,
    EndParentRun,
    LogArtifact,
    LogEpoch,
    LogRun,
    ShowColumns,
    StartParentRun,
    call_as_json,
    parse_call,
)
from finetune_alf.tracking.record import EpochRecord, RunRecord, RunStatus, check_artifact_path, check_key
from finetune_alf.tracking.views import Columns

logger = logging.getLogger(__name__)

SYNC_EVERY_S = 1.0
"""How long an appended line may wait to be synced. A kill loses none of them; a power failure loses those, and the next
start of the stage appends them again, because results are committed before they are appended."""

BATCH_BYTES = 1 << 20
"""About how much of a file is read at a time."""


class Spool:
    """A Tracker that appends its calls to a file. The ids of its runs are their keys."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self._file = path, file
        self._synced_at = time.monotonic()

    @property
    def uri(self) -> str:
        """The file."""
        return str(self.path)

    def start_parent_run(self, key: str, name: str, tags: Mapping[str, str], at_ms: int | None = None) -> str:
        """Append the call, and return the key."""
        check_key(key)
        self._append(StartParentRun(key, name, tags, at_ms or now_ms()))
        return key

    def log_run(self, parent_id: str, record: RunRecord) -> str:
        """Append the call, and return the record's key."""
        self._append(LogRun(parent_id, record))
        return record.key

    def log_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Append the call."""
        self._append(LogEpoch(parent_id, record))

    def log_artifact(self, run_id: str, path: str, content: bytes) -> None:
        """Append the call; `run_id` is a key."""
        check_artifact_path(path)
        self._append(LogArtifact(run_id, path, content))

    def show_columns(self, columns: Columns) -> None:
        """Append the call."""
        self._append(ShowColumns(columns))

    def close_runs(self) -> None:
        """Do nothing: the end of the parent run closes its runs."""

    def end_parent_run(
        self, parent_id: str, status: RunStatus, metrics: Mapping[str, float], note: str = "", at_ms: int | None = None
    ) -> None:
        """Append the call, and sync the file."""
        self._append(EndParentRun(parent_id, status, at_ms or now_ms(), metrics, note), sync=True)

    def find_run(self, key: str) -> str | None:
        """Return the key: a run is found when the call is made."""
        check_key(key)
        return key

    def remove(self) -> None:
        """Delete the file: its calls are made."""
        self.path.unlink(missing_ok=True)

    def _append(self, call: Call, *, sync: bool = False) -> None:
        """Append a line. Raises StorageError, naming the file, when the system refuses."""
        with named_errors("write", self.path):
            self._file.write(f"{json_line(call_as_json(call))}\n".encode())
            self._file.flush()
            if sync or time.monotonic() - self._synced_at >= SYNC_EVERY_S:
                os.fsync(self._file.fileno())
                self._synced_at = time.monotonic()


@dataclass(frozen=True)
class Line:
    """A line of a spool: where it ends in the file, in bytes, and its call; None where it is damaged."""

    end: int
    call: Call | None


class SpoolReader:
    """Reads the lines of a spool in order, also while it grows. A damaged line is named in a warning and left out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def read(self) -> list[Line]:
        """Return the next lines, at most about BATCH_BYTES; none where there are no more whole ones yet."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            lines = file.readlines(BATCH_BYTES)
        found = []
        for line in lines:
            if line.endswith(b"\n"):
                self._start += len(line)
                found.append(Line(self._start, self._call(line)))
        return found

    def _call(self, line: bytes) -> Call | None:
        try:
            return parse_call(parse_checked(line))
        except ValueError:
            logger.warning("%s: the line before byte %d is damaged and left out.", self.path, self._start)
            return None


@contextlib.contextmanager
def new_spool(folder: Path, key: str) -> Iterator[Spool]:
    """Create and lock the spool of a parent run. Raises StorageError, naming the file, when the system refuses."""
    path = folder / f"{spool_stem(key)}.{time.time_ns()}.jsonl"
    unlocked = folder / f"{spool_stem(key)}.new"  # not listed; the next start takes over what a kill left
    with contextlib.ExitStack() as stack:
        with named_errors("write", path):
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(unlocked.open("wb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(path)
        yield Spool(path, file)


def spools(folder: Path) -> list[Path]:
    """Return the spools in a folder, the oldest first."""
    return sorted(folder.glob("*.jsonl"), key=lambda path: path.suffixes[-2])


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Lock a spool that an earlier start has left; yield False where its stage still runs, or it is claimed or gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield os.fstat(file.fileno()).st_nlink > 0


def is_running(path: Path) -> bool:
    """Return whether the stage of a spool still runs."""
    with claimed(path) as is_free:
        return not is_free and path.exists()


def spool_stem(key: str) -> str:
    """Return the key of a parent run with a dot for each slash, with which the names of its spools begin."""
    return key.replace("/", ".")


def parent_of(path: Path) -> str:
    """Return the `spool_stem` of a spool's parent run."""
    return path.name.rsplit(".", 2)[0]


def n_waiting(path: Path, written: int) -> int:
    """Return how many lines of a spool begin at or after this byte."""
    with path.open("rb") as file:
        file.seek(written)
        return sum(1 for _ in file)
