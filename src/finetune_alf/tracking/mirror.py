"""Write runs to a tracker from a background thread, so that training never waits for MLflow.

A run that could not be written is not lost: the study's database has every result, and the next start writes all runs
again, which changes nothing for those that MLflow already has.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass

from finetune_alf.tracking.record import EpochRecord, RunRecord
from finetune_alf.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MirrorFailure:
    """The key of a run that was not written, and the reason."""

    key: str
    reason: str


class Mirror:
    """A queue of runs and the thread that writes them to a tracker, in order.

    After a failure the thread waits `retry_delay_s` before it uses the store again. Failed runs are tried again with
    the next run after that, and once more in `close`.
    """

    def __init__(self, tracker: Tracker, retry_delay_s: float = 5.0) -> None:
        self._tracker = tracker
        self._retry_delay_s = retry_delay_s
        self._queue: queue.SimpleQueue[tuple[str, RunRecord | EpochRecord] | None] = queue.SimpleQueue()
        self._ended: set[str] = set()
        self._pending: deque[tuple[str, RunRecord]] = deque()
        self._reasons: dict[str, str] = {}
        self._retry_at = 0.0
        self._n_written = 0
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
        self._thread.start()

    def put(self, parent_id: str, record: RunRecord) -> None:
        """Queue a nested run; returns at once."""
        self._ended.add(record.key)
        self._queue.put((parent_id, record))

    def put_epoch(self, parent_id: str, record: EpochRecord) -> None:
        """Queue an epoch of a fit that goes on; returns at once.

        It is written while the fit goes on or not at all: the fit's own record has it too. So a store that is slower
        than the fits has no more to write for it.
        """
        self._queue.put((parent_id, record))

    def close(self, timeout_s: float = 10.0) -> tuple[MirrorFailure, ...]:
        """Wait until all runs are written, or none was for `timeout_s`; return those that were not written."""
        self._queue.put(None)
        n_written, since = self._n_written, time.monotonic()
        while self._thread.is_alive() and time.monotonic() - since < timeout_s:
            self._thread.join(0.05)
            if self._n_written != n_written:
                n_written, since = self._n_written, time.monotonic()
        unwritten = [*self._pending, *self._queued()]
        timeout = f"{self._tracker.uri}: no response within {timeout_s:g} s."
        return tuple(MirrorFailure(record.key, self._reasons.get(record.key, timeout)) for _, record in unwritten)

    def _queued(self) -> list[tuple[str, RunRecord]]:
        queued = []
        while not self._queue.empty():
            if (item := self._queue.get()) and isinstance(item[1], RunRecord):
                queued.append((item[0], item[1]))
        return queued

    def _run(self) -> None:
        while item := self._queue.get():
            parent_id, record = item
            if isinstance(record, EpochRecord):
                self._write_epoch(parent_id, record)
                continue
            self._pending.append((parent_id, record))
            if time.monotonic() >= self._retry_at:
                self._write_pending(stop_at_failure=True)
        self._write_pending(stop_at_failure=False)
        with contextlib.suppress(Exception):  # the parent run's end tells of a store that fails
            self._tracker.close_runs()

    def _write_epoch(self, parent_id: str, record: EpochRecord) -> None:
        if record.key in self._ended or time.monotonic() < self._retry_at:
            return
        try:
            self._tracker.log_epoch(parent_id, record)
        except Exception as error:  # as in `_write_pending`
            self._note_failure(record.key, str(error) or repr(error))

    def _write_pending(self, *, stop_at_failure: bool) -> None:
        for _ in range(len(self._pending)):
            parent_id, record = self._pending[0]
            try:
                self._tracker.log_run(parent_id, record)
            except Exception as error:  # an unexpected error must not end the thread and lose all later runs
                self._note_failure(record.key, str(error) or repr(error))
                self._pending.rotate(-1)  # a run that the store refuses must not block the others
                if stop_at_failure:
                    return
            else:
                self._pending.popleft()
                self._n_written += 1

    def _note_failure(self, key: str, reason: str) -> None:
        if not self._reasons:
            logger.warning("%s Training continues; missing runs are written at the end or at the next start.", reason)
        self._reasons[key] = reason
        self._retry_at = time.monotonic() + self._retry_delay_s
