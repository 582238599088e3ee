"""The console of a notebook: lines below the cell, and tqdm's bar for notebooks or terminals."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finetune_alf.running.context import ProgressBar


class NotebookConsole:
    """Prints lines, and shows progress with the bar that tqdm picks for a notebook or a terminal."""

    def log(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        _tqdm().write(text)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[ProgressBar]:
        """Show progress towards a total."""
        with _tqdm()(desc=label, total=total) as bar:
            yield _Bar(bar)


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, note: str = "") -> None:
        """Advance by one."""
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()


def _tqdm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it warns and takes the bar of a terminal
        from tqdm.auto import tqdm
    return tqdm
