"""Columns looked up by name, with the error that says which ones there are."""

from collections.abc import Sequence

from finetune_alf.errors import DataError


def check_columns(place: str, wanted: Sequence[str], found: Sequence[str]) -> None:
    """Raise DataError unless every wanted column is there, and no column is there twice."""
    listed = ", ".join(repr(name) for name in found) or "none"
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(
            f"{place}: must name each column once, but got {listed}. Rename one of the columns {twice[0]!r}."
        )
    missing = ", ".join(repr(name) for name in wanted if name not in found)
    if missing:
        raise DataError(
            f"{place}: must have the column {missing}, but has {listed}. "
            "Set `text` and `label` of this source to columns that are there."
        )
