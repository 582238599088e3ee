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

from collections.abc import Mapping, Sequence


class AlfError(Exception):
    """Any error that the package raises on purpose."""

    exit_code = 1


class InputError(AlfError):
    """An input that cannot be used."""

    exit_code = 3


class ParamsError(InputError):
    """Parameters that do not validate.

    `faults` has the `message` of each, with its `file`, `line`, `column` and `field` as far as they are known.
    """

    def __init__(self, message: str, faults: Sequence[Mapping[str, str | int]] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class RatesError(InputError):
    """Invalid learning rates, or rates that do not fit the encoder's depth."""


class DataError(InputError):
    """A source of texts, or a row of it, that cannot be used."""


class RowError(DataError):
    """A row that cannot be used; `location` says where, `short` also why, `way_out` what to do about all such rows."""

    def __init__(self, location: str, problem: str, way_out: str) -> None:
        super().__init__(f"{location}: {problem}. {way_out}")
        self.location = location
        self.short = f"{location}: {problem}"
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
