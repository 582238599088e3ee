"""What processes of ours set: when they end, what Ctrl-C ends, and how often Python looks for garbage."""

import atexit
import ctypes
import gc
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

WATCH_EVERY_S = 0.5

OBJECTS_A_COLLECTION = 50_000
"""So many new objects until Python looks for cycles that nothing refers to; by default hundreds, or a few thousand."""


def collect_rarely() -> None:
    """Let Python look for garbage rarely, and not at the end of this process.

    Loading PyTorch, transformers and MLflow makes objects by the hundred thousand, all of which stay: each search
    visits them in vain. What nothing refers to is freed at once all the same, unless it is in a cycle.
    """
    gc.set_threshold(OBJECTS_A_COLLECTION, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def let_interrupts_end_waits() -> None:
    """Let Ctrl-C end a call that waits, again: MLflow loads polars where it is installed, and after that it does not.

    polars has a handler of its own for SIGINT, after which Linux starts a waiting call anew (SA_RESTART): Python's own
    handler, which that of polars calls, has no turn until the call ends by itself.
    """
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.SIG_DFL, None):
        signal.siginterrupt(signal.SIGINT, True)


def signal_when_parent_ends(number: signal.Signals) -> None:
    """Let Linux send this signal to this process when its parent ends; other systems have no such call."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def end_with_parent(parent_pid: int) -> None:
    """End this process when its parent ends; `parent_pid` is the parent's id, as the parent gave it."""
    if sys.platform == "linux":
        signal_when_parent_ends(signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent_pid,), daemon=True).start()
    if os.getppid() != parent_pid:  # the parent ended before the line above
        os._exit(0)


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(WATCH_EVERY_S)
    os._exit(0)
