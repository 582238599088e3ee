"""Checks of column names."""

from collections.abc import Sequence

from finetune_alf.errors import DataError

OF_A_SOURCE = "Set `text` and `label` of this source to columns that exist."


def check_columns(location: str, wanted: Sequence[str], found: Sequence[str], way_out: str = OF_A_SOURCE) -> None:
    """Raise DataError unless every wanted column exists, and no column has the name of another.

    `way_out` says where the wanted ones are named.
    """
    listed = ", ".join(repr(name) for name in found) or "none"
    repeated = sorted({name for name in found if found.count(name) > 1})
    if repeated:
        raise DataError(
            f"{location}: must have unique column names, but got {listed}. Rename one of the columns {repeated[0]!r}."
        )
    missing = ", ".join(repr(name) for name in wanted if name not in found)
    if missing:
        raise DataError(f"{location}: must have the column {missing}, but got {listed}. {way_out}")
