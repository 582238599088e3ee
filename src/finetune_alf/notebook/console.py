"""The console of a notebook: lines below the cell, and tqdm's bar for notebooks or terminals."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from finetune_alf.running.context import SilentConsole
from finetune_alf.running.progress import BAR_WIDTH, TqdmBar

N_COLUMNS = 80
"""The characters of a bar that is text, where nothing says how wide a line is."""


class NotebookConsole:
    """Prints lines, and shows progress with the bar that tqdm picks for a notebook or a terminal."""

    def log(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        _tqdm().write(text)

    def doing(self, text: str) -> None:
        """Say what takes a while, in a line."""
        self.log(text)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[TqdmBar]:
        """Show progress towards a total."""
        with _tqdm()(desc=label, total=total) as bar:
            is_widget = hasattr(bar, "container")
            if not is_widget:
                bar.ncols = bar.ncols or N_COLUMNS
            shown = TqdmBar(bar, None if is_widget else BAR_WIDTH)
            with shown.each_second():
                yield shown


def console_of(quiet: bool) -> NotebookConsole | SilentConsole:
    """Return the console of a notebook, or one that shows nothing."""
    return SilentConsole() if quiet else NotebookConsole()


def _tqdm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets it warns and takes the bar of a terminal
        from tqdm.auto import tqdm
    return tqdm
