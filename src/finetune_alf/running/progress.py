"""The progress bar of a terminal or a notebook, over tqdm's own."""

import math
import threading
import time
from typing import Any

from finetune_alf.running.time_left import TimeLeft

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
        best, *rest = self._note.split(", ")
        count = f"{left.n_done}/{left.total}"
        begin = elapsed if left.total == 1 else f"{count} in {elapsed}"
        texts = [
            ", ".join(part for part in parts if part)
            for parts in (
                (begin, time_left, epochs, best, *rest),
                (begin, time_left, epochs, best),
                (begin, time_left, best),
                (count, time_left, best),
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
