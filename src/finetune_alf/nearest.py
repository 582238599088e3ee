"""The known word that a misspelt one probably means."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean epochs?)` for the nearest known word, or nothing when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most like another one; there must be one."""
    return difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)[0]
