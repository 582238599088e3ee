"""What a tracker is told about one finished job: a RunRecord, complete, so that telling it twice changes nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

ParentStatus = Literal["FINISHED", "FAILED", "KILLED"]
"""How a parent run ends; KILLED is MLflow's word for interrupted."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@+=-]{0,249}")


@dataclass(frozen=True)
class Metric:
    """One point of a curve. Its time comes from the job, so that a repeated point is the same point."""

    name: str
    value: float
    step: int
    timestamp_ms: int


@dataclass(frozen=True)
class RunRecord:
    """A trial, a confirmation or a transfer cell, as a nested run.

    `key` names the job for ever (study digest and trial number, say): however often it is recorded, the store holds
    one run. `artifacts` maps paths in the run to file contents. Raises ValueError when key or a path cannot be used.
    """

    key: str
    name: str
    started_ms: int
    ended_ms: int
    status: Literal["FINISHED", "FAILED"] = "FINISHED"
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_key(self.key)
        for path in self.artifacts:
            check_path(path)


def check_key(key: str) -> None:
    """Raise ValueError unless a key can stand in MLflow's filter language."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"key: must be 1 to 250 letters, digits or any of _./:@+=-, but got {key!r}.")


def check_path(path: str) -> None:
    """Raise ValueError unless an artifact's path stays inside its run."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r"[\\%#?:\x00-\x1f]", path):
        raise ValueError(f"artifact path: must be relative, with plain names, but got {path!r}.")
