"""The door to MLflow: runs of a study and of a transfer, mirrored for people. Files and studies stay the truth.

`record` has what is written, `tracker` the protocol, `memory` its public twin, `mlflow` the real one over `store`,
and `mirror` the thread that keeps training from waiting. MLflow itself is imported with the first store opened.
"""

from finetune_alf.tracking.memory import MemoryTracker
from finetune_alf.tracking.mirror import Mirror, MirrorFailure
from finetune_alf.tracking.record import Metric, ParentStatus, RunRecord
from finetune_alf.tracking.tracker import Tracker

__all__ = ["MemoryTracker", "Metric", "Mirror", "MirrorFailure", "ParentStatus", "RunRecord", "Tracker"]
