"""The time limit of jobs that run in the caller's own process: an alarm that the system sends to its main thread.

There is none outside the main thread, and none where the system has no such alarm (Windows), nor beside an alarm of the
caller's own that rings sooner. An exception cannot end a call of C code that never returns: some time after the limit
the process ends itself then, with a traceback. Its attempt has been committed, so that it counts at the next start.
"""

import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

AGAIN_S = 1.0
"""The alarm rings again after this time: Python drops an exception in a finalizer or in a callback of its collector."""

RETURN_S = 600.0
"""How long after the time limit a call of C code may take to return before the process ends itself."""

LONGEST_S = 1e9
"""No alarm is set for a longer time, some thirty years: the system takes no number of seconds that is much larger."""


class JobTimeout(BaseException):
    """A job has run longer than its time limit."""


def timeout_message(seconds: float) -> str:
    """Return the reason of a job that ran too long."""
    return f"it ran longer than job_timeout_s, {seconds:g} s"


class JobTimer:
    """The time that one job has left; it passes in `running`, and stands still in `paused`."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._left = seconds
        self._armed_at: float | None = None
        self._outer: tuple[Any, float, float] = (None, 0.0, 0.0)  # the caller's own handler, delay and interval

    @contextmanager
    def running(self) -> Iterator[None]:
        """Raise JobTimeout in this block when the time is over."""
        try:
            try:
                self._arm()
                yield
            finally:
                self._disarm()
        except JobTimeout:
            self._disarm()  # the alarm may have rung in the line above
            raise

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock in this block, within a `running` one: it is the caller's own time, and the caller's code."""
        was_armed = self._armed_at is not None
        self._disarm()
        try:
            yield
        finally:
            if was_armed:
                self._arm()

    def _arm(self) -> None:
        if self._left is None or self._left > LONGEST_S or not _has_alarm():
            return
        delay, interval = signal.getitimer(signal.ITIMER_REAL)
        if 0 < delay <= self._left:
            return
        self._outer = (signal.signal(signal.SIGALRM, self._ring), delay, interval)
        self._armed_at = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(self._left, 1e-6), AGAIN_S)
        if sys.__stderr__ is not None:
            with suppress(ValueError, OSError):  # it is closed
                faulthandler.dump_traceback_later(max(self._left, 0.0) + RETURN_S, exit=True, file=sys.__stderr__)

    def _disarm(self) -> None:
        if self._armed_at is None or self._left is None:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        passed = time.monotonic() - self._armed_at
        self._left, self._armed_at = self._left - passed, None
        handler, delay, interval = self._outer
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)  # None: not set from Python
        if delay:
            signal.setitimer(signal.ITIMER_REAL, max(delay - passed, 1e-6), interval)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        raise JobTimeout(timeout_message(self._seconds or 0.0))


def _has_alarm() -> bool:
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
