"""Make the calls of a spool on a store, in order, until it has all of them.

A call that is made twice changes nothing, so a spool is always read from its beginning. While the store does not
respond, the same call is tried again. A call that a responding store refuses is left out, so that it does not block
those after it, and its spool stays for the next start.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finetune_alf.errors import TrackingError
from finetune_alf.tracking.calls import Call, EndParentRun, LogEpoch, LogRun, RunIds, StartParentRun
from finetune_alf.tracking.spool import SpoolReader, claimed
from finetune_alf.tracking.tracker import Tracker

RETRY_DELAY_S = 5.0
"""How long to wait after a failure before the store is used again."""

MAX_REFUSALS = 3
"""After this many failures of a call, with a store that responds otherwise, the call is left out."""

POLL_S = 0.05
"""How often to look for new calls."""


class Progress(Protocol):
    """What a replay reports, and when it is to stop."""

    @property
    def is_closing(self) -> bool:
        """Whether to stop at the first failure: nobody waits for the store to respond again."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait so long, or until `is_closing` becomes true."""
        ...

    def written(self, position: int) -> None:
        """Note that the store has the calls up to this byte of the spool."""
        ...

    def failed(self, reason: str) -> None:
        """Note that the store failed."""
        ...


class NoProgress:
    """The Progress of a replay that nobody watches, and that ends where the store fails."""

    is_closing = True

    def wait(self, seconds: float) -> None:
        """Do not wait."""

    def written(self, position: int) -> None:
        """Do nothing."""

    def failed(self, reason: str) -> None:
        """Do nothing."""


@dataclass
class Refusals:
    """The number of calls that a store refused, and the reason of the last one."""

    n: int = 0
    reason: str = ""

    def __add__(self, other: "Refusals") -> "Refusals":
        return Refusals(self.n + other.n, other.reason or self.reason)


class Replay:
    """The replay of one spool. Opening the tracker is tried again as a call is."""

    def __init__(self, spool: Path, open_tracker: Callable[[], Tracker], progress: Progress) -> None:
        self._spool, self._reader = spool, SpoolReader(spool)
        self._open_tracker, self._progress = open_tracker, progress
        self._tracker: Tracker | None = None
        self._ids: RunIds = {}
        self._started: StartParentRun | None = None
        self._has_ended = False
        self._refusals = Refusals()

    def follow(self) -> Refusals:
        """Make the calls of a stage that goes on, until its last one; return those that the store refused.

        Raises TrackingError, with the reason, where the store does not respond and nobody waits for it.
        """
        while not self._has_ended:
            if not self._make_next():
                self._progress.wait(POLL_S)
        return self._refusals

    def finish(self) -> Refusals:
        """Make the calls that a stage has left, and end the runs of one that was killed; else as `follow`."""
        while self._make_next():
            pass
        if self._started and not self._has_ended:
            stopped_ms = round(self._spool.stat().st_mtime * 1000)
            self._make(EndParentRun(self._started.key, "KILLED", stopped_ms))
        return self._refusals

    def _make_next(self) -> bool:
        """Make the next calls of the spool; return whether there were any."""
        lines = self._reader.read()
        ended = {line.call.record.key for line in lines if isinstance(line.call, LogRun)}
        for line in lines:
            # An epoch whose fit has ended is left out: the fit's own record has it too.
            is_left_out = isinstance(line.call, LogEpoch) and line.call.record.key in ended
            if line.call is not None and not is_left_out:
                self._make(line.call)
            self._progress.written(line.end)
        return bool(lines)

    def _make(self, call: Call) -> None:
        """Make a call until the store has it, or refuses it."""
        n_refusals = 0
        while True:
            try:
                self._tracker = self._tracker or self._open_tracker()
                call.make(self._tracker, self._ids)
            except Exception as error:  # whatever it is, the calls after it must not be lost
                reason = str(error) or repr(error)
                self._progress.failed(reason)
                n_refusals += self._responds()
                if n_refusals >= (1 if self._progress.is_closing else MAX_REFUSALS) and self._started:
                    self._refusals += Refusals(1, reason)
                    break
                if self._progress.is_closing:
                    raise TrackingError(reason) from None
                self._progress.wait(RETRY_DELAY_S)
            else:
                break
        if isinstance(call, StartParentRun):
            self._started, self._has_ended = call, False
        self._has_ended = self._has_ended or isinstance(call, EndParentRun)

    def _responds(self) -> bool:
        try:
            if self._tracker is not None and self._started is not None:
                self._tracker.find_run(self._started.key)
                return True
        except TrackingError:
            pass
        return False


def finish_spools(paths: Iterable[Path], open_tracker: Callable[[], Tracker], progress: Progress) -> Refusals:
    """Make the calls that stages have left in these spools, delete the spools, and return the calls that were refused.

    A spool whose stage still runs is passed over; one with a refused call stays. Raises TrackingError, with the reason,
    where the store does not respond.
    """
    refusals = Refusals()
    for path in paths:
        with claimed(path) as is_free:
            if is_free:
                here = Replay(path, open_tracker, progress).finish()
                refusals += here
                if not here.n:
                    path.unlink(missing_ok=True)
    return refusals
