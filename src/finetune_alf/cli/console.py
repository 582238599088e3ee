"""The console of the command line: a progress bar on a terminal, plain lines anywhere else."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from finetune_alf.running.progress import TqdmBar


class TerminalConsole:
    """Logs lines on standard output, or on another stream, and shows progress on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._in_bar = False

    def log(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        if self._in_bar:
            from tqdm import tqdm

            tqdm.write(text, file=self._stream or sys.stdout)
        else:
            click.echo(text, file=self._stream)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator["TqdmBar | _Lines"]:
        """Show progress towards a total."""
        if not _is_terminal(sys.stderr):
            yield _Lines(label, total)
            return
        from tqdm import tqdm

        with tqdm(desc=label, total=total, file=sys.stderr, **_size()) as bar:
            self._in_bar = True
            try:
                yield TqdmBar(bar)
            finally:
                self._in_bar = False


@contextmanager
def position_bar(label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows on standard error how far something is; nothing is shown but on a terminal."""
    if not _is_terminal(sys.stderr):
        yield lambda position: None
        return
    from tqdm import tqdm

    with tqdm(desc=label, total=total, unit=unit, unit_scale=True, file=sys.stderr, **_size()) as bar:
        yield lambda position: _move(bar, position)


def _size() -> dict[str, Any]:
    """Return the size of a bar for tqdm: the terminal's, as it is at each time, or 80 by 24 where it has none."""
    try:
        n_columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        n_columns = 0
    return {"dynamic_ncols": True} if n_columns else {"ncols": 80, "nrows": 24}


def _move(bar: Any, position: int) -> None:
    bar.update(position - bar.n)


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class _Lines:
    """About ten lines in all, so that a log stays readable."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._n_new = label, total, 0, 0
        self._started = time.monotonic()

    def advance(self, note: str = "", *, is_new: bool = True) -> None:
        """Advance by one; the time left follows from the new steps."""
        self._done += 1
        self._n_new += is_new
        if self._done * 10 // self._total > (self._done - 1) * 10 // self._total:
            line = f"{self._label}: {self._done}/{self._total} {note}".rstrip()
            click.echo(f"{line}{self._time_left()}", err=True)

    def _time_left(self) -> str:
        if not self._n_new:
            return ""
        seconds = (time.monotonic() - self._started) / self._n_new * (self._total - self._done)
        return f", {duration(seconds)} left" if seconds >= 1 else ""


def duration(seconds: float) -> str:
    """Return seconds in words: 8.4 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"
