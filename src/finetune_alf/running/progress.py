"""The progress bar of a terminal or a notebook, over tqdm's own."""

from typing import Any


class TqdmBar:
    """A ProgressBar that shows its note behind tqdm's bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, note: str = "") -> None:
        """Advance by one."""
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()
