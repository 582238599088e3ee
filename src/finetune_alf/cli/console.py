"""The console of the command line: a progress bar on a terminal, plain lines anywhere else."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from finetune_alf.cli.wrapping import for_stream
from finetune_alf.running.progress import BAR_WIDTH, RowsBar, TqdmBar
from finetune_alf.running.time_left import TimeLeft


class TerminalConsole:
    """Logs lines on standard output, or on another stream, and shows progress on standard error."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._in_bar = False

    def log(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        stream = self._stream or sys.stdout
        if self._in_bar:
            from tqdm import tqdm

            tqdm.write(for_stream(text, stream), file=stream)
        else:
            click.echo(for_stream(text, stream), file=stream)

    def doing(self, text: str) -> None:
        """Say what takes a while on standard error, where that is a terminal and no document is printed."""
        if self._stream is not None:
            return
        if self._in_bar:
            from tqdm import tqdm

            tqdm.write(for_stream(text, sys.stderr), file=sys.stderr)
        else:
            echo_on_terminal(text)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator["TqdmBar | _Lines"]:
        """Show progress towards a total."""
        if not _is_terminal(sys.stderr):
            yield _Lines(label, total)
            return
        from tqdm import tqdm

        with tqdm(desc=label, total=total, file=sys.stderr, bar_format="{desc}:", **_size()) as bar:
            self._in_bar, shown = True, TqdmBar(bar, BAR_WIDTH)
            try:
                with shown.each_second():
                    yield shown
            finally:
                self._in_bar = False
                shown.refresh()
                bar.leave = not shown.is_empty


def echo_on_terminal(text: str) -> None:
    """Print a line on standard error, where that is a terminal."""
    if sys.stderr.isatty():
        click.echo(for_stream(text, sys.stderr), err=True)


@contextmanager
def rows_bar(label: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows on standard error how far the rows of a table are; nothing but on a terminal.

    It is given the position, of which `total` is the end where that is known, and the number of rows.
    """
    if not _is_terminal(sys.stderr):
        yield lambda position, n_rows: None
        return
    from tqdm import tqdm

    with tqdm(desc=label, total=total, file=sys.stderr, bar_format="{desc}:", **_size()) as bar:
        yield RowsBar(bar).show


def _size() -> dict[str, Any]:
    """Return the size of a bar for tqdm: the terminal's, as it is at each time, or 80 by 24 where it has none."""
    try:
        n_columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        n_columns = 0
    return {"dynamic_ncols": True} if n_columns else {"ncols": 80, "nrows": 24}


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class _Lines:
    """About ten lines in all, so that a log stays readable."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._left = label, TimeLeft(total, time.monotonic())

    def advance(self, note: str = "", *, step: str = "", is_new: bool = True) -> None:
        """Advance by one; the time left follows from the new steps."""
        now = time.monotonic()
        self._left.end(step, now, is_new=is_new)
        done, total = self._left.n_done, self._left.total
        if done * 10 // total > (done - 1) * 10 // total:
            line = f"{self._label}: {done}/{total} {note}".rstrip()
            seconds = self._left.seconds(now) or 0.0
            click.echo(f"{line}, {duration(seconds)} left" if seconds >= 1 else line, err=True)

    def epoch(self, step: str, number: int, of: int, seconds: float) -> None:
        """Count an epoch for the time that is left; no line is printed."""
        self._left.epoch(step, number / of, seconds, time.monotonic())


def duration(seconds: float) -> str:
    """Return seconds in words: 8.4 s, 2 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"
