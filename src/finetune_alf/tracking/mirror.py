"""The mirror: a thread that hands records to a tracker, so that training never waits for MLflow.

Nothing is lost when it fails or is killed: the study's own database has every result, and at the next start all
of them are mirrored again, which changes nothing where they arrived.
"""

import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass

from finetune_alf.tracking.record import RunRecord
from finetune_alf.tracking.tracker import Tracker

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MirrorFailure:
    """A record that did not arrive, and why."""

    key: str
    reason: str


class Mirror:
    """Take records at once, write them to the tracker in order, in a thread of its own.

    After a failure the store is left alone for `pause_s`; what waits is tried again with the next record, and once
    more at the end.
    """

    def __init__(self, tracker: Tracker, pause_s: float = 5.0) -> None:
        self._tracker = tracker
        self._pause_s = pause_s
        self._incoming: queue.SimpleQueue[tuple[str, RunRecord] | None] = queue.SimpleQueue()
        self._waiting: deque[tuple[str, RunRecord]] = deque()
        self._reasons: dict[str, str] = {}
        self._rest_until = 0.0
        self._n_written = 0
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def put(self, parent_id: str, record: RunRecord) -> None:
        """Hand a record over; returns at once."""
        self._incoming.put((parent_id, record))

    def close(self, patience_s: float = 10.0) -> tuple[MirrorFailure, ...]:
        """Wait until all is written, or nothing was for `patience_s`; return the records that did not arrive."""
        self._incoming.put(None)
        n_written, since = self._n_written, time.monotonic()
        while self._thread.is_alive() and time.monotonic() - since < patience_s:
            self._thread.join(0.05)
            if self._n_written != n_written:
                n_written, since = self._n_written, time.monotonic()
        left = [*self._waiting, *self._drained()]
        silent = f"{self._tracker.uri}: must answer within {patience_s:g} s, but got nothing."
        return tuple(MirrorFailure(record.key, self._reasons.get(record.key, silent)) for _, record in left)

    def _drained(self) -> list[tuple[str, RunRecord]]:
        left = []
        while not self._incoming.empty():
            if item := self._incoming.get():
                left.append(item)
        return left

    def _work(self) -> None:
        while item := self._incoming.get():
            self._waiting.append(item)
            if time.monotonic() >= self._rest_until:
                self._write_waiting(stop_at_failure=True)
        self._write_waiting(stop_at_failure=False)

    def _write_waiting(self, *, stop_at_failure: bool) -> None:
        for _ in range(len(self._waiting)):
            parent_id, record = self._waiting[0]
            try:
                self._tracker.record(parent_id, record)
            except Exception as error:  # a thread that dies of the unforeseen would lose every later record
                self._note(record, str(error) or repr(error))
                self._waiting.rotate(-1)  # one record that is refused must not hold up the others
                if stop_at_failure:
                    return
            else:
                self._waiting.popleft()
                self._n_written += 1

    def _note(self, record: RunRecord, reason: str) -> None:
        if not self._reasons:
            _logger.warning("%s The run goes on; what is missing is written at the end or the next start.", reason)
        self._reasons[record.key] = reason
        self._rest_until = time.monotonic() + self._pause_s
