"""The messages between a stage and the process that replays its spool, as lines of JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finetune_alf.tracking.mlflow import MlflowTracker

ReportKind = Literal["ready", "written", "failed", "done", "gave_up"]
"""MLflow is loaded; the store has the calls up to this byte of the spool; the store failed for this reason; all calls
are made, but so many that the store refused, for this reason; the store does not respond for this reason, and the stage
does not wait."""


@dataclass(frozen=True)
class Follow:
    """The order to follow a spool, and to write to the store of an absolute URI."""

    spool: str
    uri: str
    experiment: str
    project: str | None
    system_metrics: bool = False

    def open_tracker(self) -> MlflowTracker:
        """Open the store."""
        return MlflowTracker(Path(), self.uri, self.experiment, self.project, self.system_metrics)
