"""The record of a finished job as an MLflow run: complete, so that writing it twice changes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Base64Bytes, PlainSerializer

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]
"""MLflow's final statuses of a run; KILLED means interrupted."""

UNFINISHED = ("RUNNING", "KILLED")
"""Statuses of a nested run whose fit has not ended."""

NOTE_TAG = "mlflow.note.content"
"""MLflow's tag for a description, in Markdown."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@+=-]{0,249}")


@dataclass(frozen=True)
class Metric:
    """One value of a metric. Its timestamp is the job's, so that writing it again gives the same value."""

    name: str
    value: Annotated[float, PlainSerializer(str, when_used="json")]  # JSON has no NaN
    step: int
    timestamp_ms: int


@dataclass(frozen=True)
class Dataset:
    """Texts that a run used. `digest` is that of all of them, `source` says in JSON where they come from."""

    name: str
    digest: str
    source: str


@dataclass(frozen=True)
class RunRecord:
    """A trial, a confirmation or a cell as a nested run.

    `key` identifies the job, by study digest and trial number for example: all records with the same key are one run.
    `artifacts` maps paths in the run to file contents. Raises ValueError for an invalid key or path.
    """

    key: str
    name: str
    started_ms: int
    ended_ms: int
    status: Literal["FINISHED", "FAILED"] = "FINISHED"
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Base64Bytes] = field(default_factory=dict)
    datasets: tuple[Dataset, ...] = ()

    def __post_init__(self) -> None:
        check_key(self.key)
        for path in self.artifacts:
            check_artifact_path(path)


@dataclass(frozen=True)
class EpochRecord:
    """The metrics of one epoch of a fit that goes on; `params` and `tags` are those of its run.

    The run has the key of the fit's RunRecord, which completes it.
    """

    key: str
    name: str
    started_ms: int
    epoch: int
    metrics: tuple[Metric, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_key(self.key)


def check_key(key: str) -> None:
    """Raise ValueError for a key that MLflow's filter strings could not contain."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"key: must be 1 to 250 letters, digits or any of _./:@+=-, but got {key!r}.")


def check_artifact_path(path: str) -> None:
    """Raise ValueError for a path that could leave the run's artifact folder."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r"[\\%#?:\x00-\x1f]", path):
        raise ValueError(f"artifact path: must be relative, without special characters, but got {path!r}.")


def metric_name(text: str) -> str:
    """Return a text as the name of a metric: MLflow refuses the + and @ of schemes."""
    return re.sub(r"[^\w./ -]", ".", text)
