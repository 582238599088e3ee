"""What a study's store leaves to SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import optuna

from finetune_alf.errors import StudyError
from finetune_alf.study.sampler import silence_optuna

T = TypeVar("T")

IDENTITY = "identity"
"""The study's attribute that holds its identity; written last, so that a study that has it is complete."""


@dataclass(frozen=True)
class KnownStudy:
    """A study that is there: its place, and its identity or what is wrong with its database."""

    place: str
    identity: Mapping[str, Any] | StudyError


class StudyDatabase(Protocol):
    """The database of one study. All its methods raise StudyError where it cannot be read or written."""

    @property
    def name(self) -> str:
        """The study's name in params.yaml."""
        ...

    @property
    def key(self) -> str:
        """The name, and the first digits of the identity's digest."""
        ...

    @property
    def place(self) -> str:
        """Where it is, for messages: without user and password."""
        ...

    @property
    def study_name(self) -> str:
        """The study's name in Optuna's tables."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Be the only process that writes the study while the block runs; LockedError names another one."""
        ...

    def exists(self) -> bool:
        """Whether the study is there."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return the identity of the study, after a check of the database."""
        ...

    def create(self, write: Callable[[optuna.storages.RDBStorage], None]) -> None:
        """Create the tables where they are missing, and let `write` create the study; other processes see it whole."""
        ...

    def of_this_name(self) -> Iterator[KnownStudy]:
        """Yield the studies of this name, under all identities, the one that was written last first."""
        ...

    def connect(self) -> optuna.storages.RDBStorage:
        """Return Optuna's storage of an existing study."""
        ...

    def run(self, action: Callable[[], T]) -> T:
        """Return what an action on the storage returns. It may be run several times, so it must be idempotent."""
        ...


def first_cause(error: BaseException) -> BaseException:
    """Return the first of a chain of errors; Optuna's own messages do not name the cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def root_cause(error: BaseException) -> str:
    """Return type and message of the first of a chain of errors."""
    cause = first_cause(error)
    return f"{type(cause).__name__}: {' '.join(str(cause).split())[:200].rstrip('.')}"


def close_storage(storage: optuna.storages.RDBStorage) -> None:
    """Close all connections of a storage."""
    storage.remove_session()
    storage.engine.dispose()


def optuna_storage(url: str, **options: Any) -> optuna.storages.RDBStorage:
    """Return a storage; `options` are those of RDBStorage."""
    silence_optuna()
    return optuna.storages.RDBStorage(url.replace("{", "{{").replace("}", "}}"), **options)  # Optuna formats the URL
