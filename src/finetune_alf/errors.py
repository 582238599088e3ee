"""Every error that the package raises on purpose, as one tree.

    AlfError                     1
    ├── InputError               3   what was given cannot be used
    │   ├── ParamsError              params.yaml, an overlay, a preset
    │   ├── RatesError               learning rates, or their number
    │   ├── DataError                a source, its files and rows
    │   ├── EncoderError             a checkpoint, its anatomy
    │   └── ScheduleError            a schedule, its digest, the registry's answer
    ├── StorageError             4   where things are kept fails
    │   ├── StudyError               a study's database
    │   ├── TrackingError            MLflow
    │   └── LockedError              somebody else is writing
    └── PartialError             5   some of the work was done, the rest failed

The numbers are the exit codes of the command line. A message reads
`<path or thing>: must <condition>, but got <value>.` and one sentence on the way out.
"""


class AlfError(Exception):
    """Any error that the package raises on purpose."""

    exit_code = 1


class InputError(AlfError):
    """What was given cannot be used."""

    exit_code = 3


class ParamsError(InputError):
    """Parameters that do not validate."""


class RatesError(InputError):
    """Learning rates that cannot be, or do not fit the encoder's depth."""


class DataError(InputError):
    """A source of texts, or a row of it, that cannot be used."""


class EncoderError(InputError):
    """A checkpoint that cannot be loaded or laid out by addresses."""


class ScheduleError(InputError):
    """A schedule that is not what it says it is."""


class StorageError(AlfError):
    """A place where results are kept fails."""

    exit_code = 4


class StudyError(StorageError):
    """A study's database that cannot be used."""


class TrackingError(StorageError):
    """An MLflow store that cannot be reached or written."""


class LockedError(StorageError):
    """Another process is writing here."""


class PartialError(AlfError):
    """Part of the work was done and kept; the rest failed."""

    exit_code = 5
