"""Every error that the package raises on purpose, as one tree.

    AlfError                     1
    ├── InputError               3   an input cannot be used
    │   ├── ParamsError              params.yaml, an overlay, a preset
    │   ├── RatesError               learning rates, or their number
    │   ├── DataError                a source of rows, its files and rows
    │   │   ├── RowError                 one row
    │   │   └── TooFewRowsError          fewer rows than a split asks for
    │   ├── EncoderError             a checkpoint, or the layout of its parameters
    │   └── ScheduleError            a schedule, its digest, or its version in the registry
    ├── StorageError             4   a file, folder or store cannot be read or written
    │   ├── StudyError               a study's database
    │   ├── TrackingError            MLflow
    │   └── LockedError              another process is writing
    ├── WorkerError              4   workers cannot start, or are out of reach
    └── PartialError             5   some of the work was done, the rest failed

The numbers are the exit codes of the command line. A message about a value reads
`<path or field>: must <condition>, but got <value>.`; a failure at run time reads `cannot <action>: <reason>.` One
sentence on the way out follows.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Fault = Mapping[str, str | int]
"""What is wrong, and where: a `message`, and `file`, `line`, `column`, `row` and `field` as far as they are known."""


class RowPlace(NamedTuple):
    """Where a row of a source begins: a line of its file, from 1 with the header's, or a row, from 1, without lines.

    `column` is a character of the line, from 1. Without a number it is the file as a whole.
    """

    file: str
    number: int | None = None
    has_lines: bool = True
    column: int | None = None

    def __str__(self) -> str:
        if self.number is None:
            return self.file
        place = f"{self.file}:{self.number}" if self.has_lines else f"{self.file} row {self.number}"
        return place if self.column is None else f"{place}:{self.column}"

    @property
    def in_words(self) -> str:
        """The place as `reviews.csv line 3`, or `reviews.parquet row 2`."""
        return f"{self.file} {'line' if self.has_lines else 'row'} {self.number}"

    @property
    def line(self) -> int | None:
        """The line of the file."""
        return self.number if self.has_lines else None

    @property
    def row(self) -> int | None:
        """The row, where there are no lines."""
        return None if self.has_lines else self.number

    def fault(self, message: str, field: str | None = None) -> Fault:
        """Return a fault of a row here; `field` is the column of the table."""
        known = {"file": self.file, "line": self.line, "column": self.column, "row": self.row, "field": field}
        return {**{name: value for name, value in known.items() if value is not None}, "message": message}


class AlfError(Exception):
    """Any error that the package raises on purpose; `option` is the word of the command line that it is about."""

    exit_code = 1
    option: str | None = None


class InputError(AlfError):
    """An input that cannot be used; `option` is a word of it, `faults` are those whose places in it are known."""

    exit_code = 3

    def __init__(self, message: str, faults: Sequence[Fault] = (), *, option: str | None = None) -> None:
        super().__init__(message)
        self.faults, self.option = tuple(faults), option


class ParamsError(InputError):
    """Parameters that do not validate; the field of a fault is a key of them."""


class RatesError(InputError):
    """Invalid learning rates, or rates that do not fit the encoder's depth."""


class DataError(InputError):
    """A source of texts, or a row of it, that cannot be used."""


class RowError(DataError):
    """A row that cannot be used; `short` says where and why, `way_out` what to do about all such rows.

    `field` is the column that has the problem, where it is one.
    """

    def __init__(self, place: RowPlace, problem: str, way_out: str, field: str | None = None) -> None:
        super().__init__(f"{place}: {problem}. {way_out}", [place.fault(problem, field)])
        self.short = f"{place}: {problem}"
        self.way_out = way_out


class TooFewRowsError(DataError):
    """A split asks for more rows than there are.

    `remaining` has those of its candidates when it is its turn: rows by label, by source split.
    """

    def __init__(self, split: str, n: int, remaining: Mapping[str, dict[str, int]]) -> None:
        super().__init__(f"n_{split}: there are fewer than {n} rows.")
        self.split, self.n, self.remaining = split, n, remaining


class EncoderError(InputError):
    """A checkpoint that cannot be loaded, or whose parameters cannot be assigned to addresses."""


class ScheduleError(InputError):
    """A schedule that is invalid, or not the one that its digest names."""


class StorageError(AlfError):
    """A file, folder or store that cannot be read or written."""

    exit_code = 4


class StudyError(StorageError):
    """A study's database that cannot be used."""


class TrackingError(StorageError):
    """An MLflow store that cannot be reached or written."""


class LockedError(StorageError):
    """A lock that another process holds."""


class WorkerError(AlfError):
    """Workers that cannot start, or a cluster that is out of reach."""

    exit_code = 4


class PartialError(AlfError):
    """Part of the work was done and kept; the rest failed."""

    exit_code = 5


def faults_of(errors: Iterable[AlfError]) -> list[Fault]:
    """Return the faults of all errors; of one without places, its message."""
    return [
        fault
        for error in errors
        for fault in (error.faults if isinstance(error, InputError) and error.faults else [{"message": str(error)}])
    ]
