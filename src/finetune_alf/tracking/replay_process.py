"""The process that replays spools: `python -m finetune_alf.tracking.replay_process PARENT_PID`. `mirror.py` starts it.

It gets orders as lines of JSON on standard input: a Follow, or null where the stage of the last one does not wait any
longer. It answers with reports on standard output, and ends with its parent.
"""

import contextlib
import json
import os
import select
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune_alf.errors import TrackingError
from finetune_alf.processes import collect_rarely, end_with_parent
from finetune_alf.tracking.orders import Follow, ReportKind
from finetune_alf.tracking.replay import NoProgress, Replay, finish_spools
from finetune_alf.tracking.spool import spools
from finetune_alf.tracking.store import load_mlflow

NICENESS = 10
"""Fits come first where there are too few cores."""


class Channel:
    """The pipes to the parent: they bring orders, and take the progress of a replay as reports."""

    def __init__(self, orders: int, reports: int) -> None:
        self._orders, self._reports = orders, reports
        self._buffer = b""
        self.is_closing = False

    def next_order(self) -> Follow:
        """Wait for the next spool."""
        self.is_closing = False
        while (order := self._next_line()) is None:
            pass  # the last spool ended before its stage stopped waiting
        return Follow(**order)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until the stage does not wait any longer."""
        deadline = time.monotonic() + seconds
        while not self.is_closing and (left := deadline - time.monotonic()) > 0:
            if self._buffer or select.select([self._orders], [], [], left)[0]:
                self.is_closing = self._next_line() is None

    def report(self, kind: ReportKind, value: object = None) -> None:
        """Send a report."""
        os.write(self._reports, json.dumps([kind, value]).encode() + b"\n")

    def written(self, position: int) -> None:
        """Report a position, unless nobody reads and the pipe is full."""
        if select.select([], [self._reports], [], 0)[1]:
            self.report("written", position)

    def failed(self, reason: str) -> None:
        """Report a failure."""
        self.report("failed", reason)

    def _next_line(self) -> dict[str, Any] | None:
        while b"\n" not in self._buffer:
            chunk = os.read(self._orders, 1 << 16)
            if not chunk:
                sys.exit()  # the parent has closed the pipe
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        order: dict[str, Any] | None = json.loads(line)
        return order


def follow(order: Follow, channel: Channel) -> None:
    """Make the calls that earlier starts have left, then those of a stage, until its last one.

    Runs of earlier starts get no metrics of the system: their fits are over.
    """
    own = Path(order.spool)
    earlier = [path for path in spools(own.parent) if path != own]
    with contextlib.suppress(TrackingError):  # the stage's own calls will tell
        finish_spools(earlier, replace(order, system_metrics=False).open_tracker, NoProgress())
    try:
        refusals = Replay(own, order.open_tracker, channel).follow()
    except TrackingError as error:
        channel.report("gave_up", str(error))
    else:
        channel.report("done", [refusals.n, refusals.reason])


def main() -> None:
    """Follow one spool after another."""
    end_with_parent(int(sys.argv[1]))
    collect_rarely()
    os.nice(NICENESS)
    reports = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no report
    channel = Channel(0, reports)
    load_mlflow()
    channel.report("ready")
    while True:
        follow(channel.next_order(), channel)


if __name__ == "__main__":
    main()
