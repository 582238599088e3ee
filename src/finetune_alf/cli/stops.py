"""Signals as exceptions: the first one ends the command in good order, the second one at once."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


AGAIN_S = 0.05
"""So long after a signal was lost it is sent again."""


class Stopped(KeyboardInterrupt):
    """A signal stops the command."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Raise Stopped in this block on SIGINT, SIGTERM and SIGHUP; what the caller ignores stays ignored (nohup).

    Where Python drops the exception, within a finalizer or a callback of C, the signal is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    caught = [number for number, handler in kept.items() if handler is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, _stop)
    hook = sys.unraisablehook

    def again(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost := unraisable.exc_value, Stopped):
            hook(unraisable)
            return
        for each in caught:
            signal.signal(each, _stop)
        timer = threading.Timer(AGAIN_S, os.kill, (os.getpid(), lost.exit_code - 128))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in caught:
            signal.signal(number, kept[number])


def _stop(number: int, frame: FrameType | None) -> None:
    for each in _SIGNALS:
        if signal.getsignal(each) is _stop:
            signal.signal(each, _leave)
    raise Stopped(number)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
