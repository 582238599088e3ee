"""MLflow tracking: a parent run for each stage, with a nested run for each fit.

`record.py` has the records of runs, `tracker.py` the protocol, `mlflow.py` its implementation on an MLflow store
(`store.py`), `memory.py` one in memory, and `mirror.py` the thread that writes runs in the background. Results are in
files and databases; MLflow has a copy. MLflow is imported when the first store is opened.
"""

from finetune_alf.tracking.memory import MemoryTracker
from finetune_alf.tracking.mirror import Mirror, MirrorFailure
from finetune_alf.tracking.record import EpochRecord, Metric, RunRecord, RunStatus
from finetune_alf.tracking.tracker import Tracker

__all__ = ["EpochRecord", "MemoryTracker", "Metric", "Mirror", "MirrorFailure", "RunRecord", "RunStatus", "Tracker"]
