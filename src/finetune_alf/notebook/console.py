"""The console of a notebook: lines below the cell, and tqdm's bar for notebooks or terminals."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finetune_alf.running.context import SilentConsole
from finetune_alf.running.progress import TqdmBar


class NotebookConsole:
    """Prints lines, and shows progress with the bar that tqdm picks for a notebook or a terminal."""

    def log(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        _tqdm().write(text)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[TqdmBar]:
        """Show progress towards a total."""
        with _tqdm()(desc=label, total=total) as bar:
            yield TqdmBar(bar)


def console_of(quiet: bool) -> NotebookConsole | SilentConsole:
    """Return the console of a notebook, or one that shows nothing."""
    return SilentConsole() if quiet else NotebookConsole()


def _tqdm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it warns and takes the bar of a terminal
        from tqdm.auto import tqdm
    return tqdm
