"""Bad rows of files: found one by one, and reported all at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from finetune_alf.errors import DataError, RowError, faults_of

MAX_LISTED = 30
"""More bad rows than this are counted only."""


class Faults:
    """The bad rows of all files of a source."""

    def __init__(self) -> None:
        self.errors: list[DataError] = []

    def add(self, error: DataError) -> None:
        """Keep a bad row, or a file that cannot be read."""
        self.errors.append(error)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a DataError that is raised in the block, which then ends."""
        try:
            yield
        except DataError as error:
            self.add(error)

    def check(self) -> None:
        """Raise DataError if there are bad rows: a single one as it is, several as a list with the ways out once."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise DataError(_listed(self.errors), faults_of(self.errors[:MAX_LISTED]))


def _listed(errors: Sequence[DataError]) -> str:
    shown = [error.short if isinstance(error, RowError) else str(error) for error in errors[:MAX_LISTED]]
    if len(errors) > MAX_LISTED:
        shown.append(f"and {len(errors) - MAX_LISTED} more")
    ways_out = dict.fromkeys(error.way_out for error in errors if isinstance(error, RowError))
    return "\n  ".join([f"{len(errors)} faults in the files of this source:", *shown]) + "\n" + " ".join(ways_out)


def report(error: DataError, faults: Faults | None) -> None:
    """Keep an error with the others, or raise it where there is no place for them."""
    if faults is None:
        raise error
    faults.add(error)
