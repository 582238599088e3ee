"""The progress bar of a terminal or a notebook, over tqdm's own."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finetune_alf.running.time_left import TimeLeft

BAR_WIDTH = 10
"""The characters of a bar among text: beside it a label, counts, times and the best score fit in 80 columns."""

SECONDS_BETWEEN = 1.0
"""After so long the time on a bar is shown anew."""

_SECONDS_SHOWN = 0.1
"""A bar is drawn at most so often."""


class TqdmBar:
    """A ProgressBar that moves with the epochs of its fits, and shows counts, times and its note behind tqdm's bar.

    `width` is that of the bar in characters; without one it takes the room that the text leaves.
    """

    def __init__(self, bar: Any, width: int | None = None) -> None:
        self._bar, self._width = bar, width
        self._started = self._drawn = time.monotonic()
        self._left = TimeLeft(bar.total, self._started)
        self._note = self._epochs = ""
        self._lock = threading.Lock()
        self.refresh()

    def advance(self, note: str = "", *, step: str = "", is_new: bool = True) -> None:
        """Advance by one; the time left follows from the new steps."""
        with self._lock:
            self._left.end(step, time.monotonic(), is_new=is_new)
            self._note = note or self._note
            self._draw()

    def epoch(self, step: str, number: int, of: int, seconds: float) -> None:
        """Move within a step by an epoch of its fit."""
        with self._lock:
            self._left.epoch(step, number / of, seconds, time.monotonic())
            self._epochs = f"{number}/{of} epochs"
            self._draw()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is done."""
        return self._left.done == 0

    def refresh(self) -> None:
        """Show the time as it is now."""
        with self._lock:
            self._draw(at_once=True)

    @contextmanager
    def each_second(self) -> Iterator[None]:
        """Show the time anew each second in this block, in a thread: so a long fit is seen to go on."""
        is_over = threading.Event()

        def tick() -> None:
            while not is_over.wait(SECONDS_BETWEEN):
                self.refresh()

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _draw(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now - self._drawn < _SECONDS_SHOWN and self._left.n_done < self._left.total:
            return
        self._drawn = now
        bar = "{bar}" if self._width is None else f"{{bar:{self._width}}}"
        text = self._text(now).replace("{", "{{").replace("}", "}}")
        self._bar.bar_format = f"{{desc}}: {{percentage:3.0f}}%|{bar}| {text}"
        self._bar.n = self._left.done
        self._bar.refresh()

    def _text(self, now: float) -> str:
        """Return the text behind the bar: all of it, or what matters most where a terminal is narrow."""
        left, elapsed = self._left, self._bar.format_interval(now - self._started)
        seconds = left.seconds(now) if left.n_done < left.total else None
        time_left = "" if seconds is None else f"{self._bar.format_interval(seconds)} left"
        epochs = self._epochs if left.n_going_on == 1 else f"{left.n_going_on} fits go on" if left.n_going_on else ""
        first, *rest = self._note.split(", ")
        count = f"{left.n_done}/{left.total}"
        begin = elapsed if left.total == 1 else f"{count} in {elapsed}"
        texts = [
            ", ".join(part for part in parts if part)
            for parts in (
                (begin, time_left, epochs, first, *rest),
                (begin, time_left, epochs, first),
                (begin, time_left, first),
                (count, time_left, first),
                (count, time_left),
            )
        ]
        return next((text for text in texts if len(text) <= self._room), texts[-1])

    @property
    def _room(self) -> float:
        """The characters that a terminal has for the text."""
        n_columns = self._bar.ncols
        if self._width is None or not isinstance(n_columns, int):
            return math.inf
        return n_columns - len(f"{self._bar.desc}: 100%|| ") - self._width


class RowsBar:
    """How far the rows of a table are: their number, how many a second, and the time that is left.

    The part that is done is one of bytes where the number of all rows is not known.
    """

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._started, self._drawn = time.monotonic(), -math.inf

    def show(self, position: int, n_rows: int) -> None:
        """Show a position, which counts as the bar's total does, and a number of rows."""
        now, total = time.monotonic(), self._bar.total
        is_last = position == total
        if now - self._drawn < _SECONDS_SHOWN and not is_last:
            return
        self._drawn, seconds = now, now - self._started
        parts = [f"{n_rows:,} rows in {self._bar.format_interval(seconds)}"]
        if seconds > 0:
            parts.append(f"{n_rows / seconds:,.0f} rows/s")
        if total and position and not is_last:
            parts.append(f"{self._bar.format_interval(seconds * (total - position) / position)} left")
        bar = f"{{percentage:3.0f}}%|{{bar:{BAR_WIDTH}}}| " if total else ""
        self._bar.bar_format = f"{{desc}}: {bar}{', '.join(parts)}"
        self._bar.n = position
        self._bar.refresh()
