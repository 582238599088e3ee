"""The mirror: a process that writes runs to MLflow while this one trains, which never waits for it.

A stage appends to its spool, and the process (`replay_process.py`) makes the calls. It is started with the first stage
and serves those after it. Whatever it has not written when a stage ends waits in the spool.
"""

import atexit
import contextlib
import json
import logging
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import finetune_alf
from finetune_alf.tracking.orders import Follow, ReportKind
from finetune_alf.tracking.spool import Spool, n_waiting
from finetune_alf.tracking.store import quiet_environment, sqlite_path

logger = logging.getLogger(__name__)

END_TIMEOUT_S = 10.0
"""How long the end of a stage waits for a server, once the process has loaded MLflow."""

START_TIMEOUT_S = 60.0
"""How long the process may take to load MLflow."""

INTERRUPTED_TIMEOUT_S = 3.0
"""How long the end of a stage that is interrupted waits, whatever the store and whether or not MLflow is loaded."""

STALLED_S = 60.0
"""A stage that waits as long as calls are made gives up when none was for so long."""

SLOW_S = 2.0
"""The end of a stage that waits longer says so."""

_POLL_S = 0.2
_END_S = 1.0


@dataclass(frozen=True)
class Waiting:
    """How many calls of a stage are not in the store yet, and why."""

    n_calls: int
    reason: str


class Mirror:
    """Follows one spool after another. A failure is logged once, until the store has worked again."""

    def __init__(self) -> None:
        quiet_environment()
        self._pid, self._settings = os.getpid(), _settings()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        source = str(Path(finetune_alf.__file__).parents[1])
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments
            [sys.executable, "-P", "-m", "finetune_alf.tracking.replay_process", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))},
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        self._buffer = b""
        self._is_ready = self._is_following = self._has_ended = False
        self._uri, self._position, self._end, self._n_refused, self._reason = "", 0, "", 0, ""

    @property
    def is_free(self) -> bool:
        """Whether the process is this one's own, alive, without a spool to follow, and has its settings."""
        is_own = self._pid == os.getpid() and self._settings == _settings()
        return is_own and not self._is_following and not self.has_ended

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._has_ended or self._process.poll() is not None

    def follow(self, order: Follow) -> None:
        """Follow a spool, until `close`."""
        self._is_following = True
        self._uri, self._position, self._end, self._n_refused, self._reason = order.uri, 0, "", 0, ""
        self._send(asdict(order))

    def check(self) -> None:
        """Log a failure of the store, if there is a new one."""
        self._receive(0.0)

    def close(
        self,
        spool: Spool,
        *,
        until_written: bool,
        is_interrupted: bool = False,
        on_slow: Callable[[], None] = lambda: None,
    ) -> Waiting | None:
        """Wait until all calls of the spool are made, and delete it; return the calls that are not made in time.

        That is END_TIMEOUT_S for a server. With `until_written`, and for a file, which is never out of reach, it is
        STALLED_S after the last call that was made. For a stage that `is_interrupted` it is INTERRUPTED_TIMEOUT_S.
        `on_slow` is called once after SLOW_S.
        """
        if is_interrupted or not until_written:
            self._send(None)
        started = time.monotonic()
        if is_interrupted:
            while not self._end and time.monotonic() - started < INTERRUPTED_TIMEOUT_S:
                self._receive(_POLL_S)
        else:
            self._wait_for_end(on_slow, waits_for_progress=until_written or sqlite_path(self._uri) is not None)
        self._is_following = False
        if self._end == "done":
            _failing.discard(self._uri)
            if not self._n_refused:
                spool.remove()
                return None
            return Waiting(self._n_refused, self._reason)
        if not self._end:
            self._reason = self._reason or f"MLflow did not respond within {time.monotonic() - started:.0f} s."
            self.end()
        return Waiting(n_waiting(spool.path, self._position), self._reason)

    def _wait_for_end(self, on_slow: Callable[[], None], *, waits_for_progress: bool) -> None:
        """Wait for the end of the replay: anew once MLflow is loaded, and with patience after each call."""
        limit_s = STALLED_S if waits_for_progress else END_TIMEOUT_S
        since, seen = time.monotonic(), (self._is_ready, self._position)
        slow_at = since + SLOW_S
        while not self._end and time.monotonic() - since < (limit_s if self._is_ready else START_TIMEOUT_S):
            self._receive(_POLL_S)
            if not self._end and time.monotonic() > slow_at:
                slow_at = math.inf
                on_slow()
            now = (self._is_ready, self._position)
            if now[0] != seen[0] or (waits_for_progress and now != seen):
                seen, since = now, time.monotonic()

    def end(self) -> None:
        """End the process, if it is this one's own; what it has not written waits in the spool."""
        if self._pid != os.getpid() or self._has_ended:
            return
        self._has_ended = True
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._log.close()

    def _send(self, order: dict[str, Any] | None) -> None:
        assert self._process.stdin is not None  # noqa: S101
        if self._has_ended:
            return
        with contextlib.suppress(OSError):  # it has ended, which `_receive` notices
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def _receive(self, timeout_s: float) -> None:
        """Take the reports that have come, or come within a time."""
        if self._end:
            return
        assert self._process.stdout is not None  # noqa: S101
        pipe = self._process.stdout.fileno()
        while not self._end and select.select([pipe], [], [], timeout_s)[0]:
            timeout_s, chunk = 0.0, os.read(pipe, 1 << 16)
            if not chunk:
                self._end = "died"
                self._fail(f"the process that writes to MLflow has ended: {self._stderr_tail()}")
                self.end()  # its pipes may close a moment before the system says that it has ended
                return
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            for line in lines:
                self._note(*json.loads(line))

    def _note(self, kind: ReportKind, value: Any) -> None:
        match kind:
            case "ready":
                self._is_ready = True
            case "written":
                self._position, self._reason = value, ""
            case "failed":
                self._fail(value)
            case "gave_up":
                self._end, self._reason = "gave up", value
            case "done":
                (self._n_refused, self._reason), self._end = value, "done"

    def _fail(self, reason: str) -> None:
        self._reason = reason
        if self._uri not in _failing:
            _failing.add(self._uri)
            logger.warning("%s Fits go on, and their records wait in files.", reason)

    def _stderr_tail(self) -> str:
        self._log.seek(0)
        return " ".join(self._log.read().decode("utf-8", "replace").split())[-300:] or "no reason given"


_failing: set[str] = set()
"""The stores whose failure was logged, and that have not worked since."""

_mirrors: list[Mirror] = []
"""The mirrors of this process: one, unless stages run side by side in it."""


def free_mirror() -> Mirror:
    """Return a mirror that can follow a spool; it is started where there is none."""
    _mirrors[:] = [mirror for mirror in _mirrors if not mirror.has_ended]
    found = next((mirror for mirror in _mirrors if mirror.is_free), None)
    if found is None:
        found = Mirror()
        _mirrors.append(found)
    return found


@atexit.register
def end_mirrors() -> None:
    """End the mirrors of this process."""
    while _mirrors:
        _mirrors.pop().end()


def _settings() -> dict[str, str]:
    """Return the environment as far as MLflow reads it."""
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")}
