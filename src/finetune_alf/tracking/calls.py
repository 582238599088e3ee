"""The calls of a Tracker as records, which can wait in a file as JSON and be made later."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Base64Bytes, Field, TypeAdapter

from finetune_alf.tracking.record import EpochRecord, RunRecord, RunStatus
from finetune_alf.tracking.tracker import Tracker
from finetune_alf.tracking.views import Columns

RunIds = dict[str, str]
"""The ids of parent runs in the store, by their keys."""


@dataclass(frozen=True)
class StartParentRun:
    """`start_parent_run`; the other calls name the run by its key."""

    key: str
    name: str
    tags: Mapping[str, str]
    at_ms: int
    call: Literal["start_parent_run"] = "start_parent_run"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the call."""
        ids[self.key] = tracker.start_parent_run(self.key, self.name, self.tags, self.at_ms)


@dataclass(frozen=True)
class LogRun:
    """`log_run`."""

    parent: str
    record: RunRecord
    call: Literal["log_run"] = "log_run"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the call."""
        tracker.log_run(ids[self.parent], self.record)


@dataclass(frozen=True)
class LogEpoch:
    """`log_epoch`."""

    parent: str
    record: EpochRecord
    call: Literal["log_epoch"] = "log_epoch"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the call."""
        tracker.log_epoch(ids[self.parent], self.record)


@dataclass(frozen=True)
class LogArtifact:
    """`log_artifact` of the run with this key; where the store has no such run, nothing is written."""

    key: str
    path: str
    content: Base64Bytes
    call: Literal["log_artifact"] = "log_artifact"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the call."""
        run_id = ids.get(self.key) or tracker.find_run(self.key)
        if run_id is not None:
            tracker.log_artifact(run_id, self.path, self.content)


@dataclass(frozen=True)
class ShowColumns:
    """`show_columns`."""

    columns: Columns
    call: Literal["show_columns"] = "show_columns"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the call."""
        tracker.show_columns(self.columns)


@dataclass(frozen=True)
class EndParentRun:
    """`close_runs` and `end_parent_run`: the last call of a stage."""

    key: str
    status: RunStatus
    at_ms: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    call: Literal["end_parent_run"] = "end_parent_run"

    def make(self, tracker: Tracker, ids: RunIds) -> None:
        """Make the calls."""
        tracker.close_runs()
        tracker.end_parent_run(ids[self.key], self.status, self.metrics, self.note, self.at_ms)


Call = StartParentRun | LogRun | LogEpoch | LogArtifact | ShowColumns | EndParentRun

_CALL: TypeAdapter[Call] = TypeAdapter(Annotated[Call, Field(discriminator="call")])


def call_as_json(call: Call) -> dict[str, Any]:
    """Return a call as JSON has it."""
    document: dict[str, Any] = _CALL.dump_python(call, mode="json")
    return document


def parse_call(document: Mapping[str, Any]) -> Call:
    """Return the call that a document describes. Raises ValueError where it describes none."""
    return _CALL.validate_python(document)
