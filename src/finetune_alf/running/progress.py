"""The progress bar of a terminal or a notebook, over tqdm's own."""

from typing import Any


class TqdmBar:
    """A ProgressBar that shows its note behind tqdm's bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def advance(self, note: str = "", *, is_new: bool = True) -> None:
        """Advance by one; the rate is that of the new steps."""
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        if is_new:
            self._bar.update()
            return
        for counter in ("initial", "n", "last_print_n"):  # from the last two tqdm knows how many are new
            setattr(self._bar, counter, getattr(self._bar, counter) + 1)
        self._bar.refresh()
