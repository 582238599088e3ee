"""MLflow tracking: a parent run for each stage, with a nested run for each fit.

`record.py` has the records of runs, `tracker.py` the protocol of what writes them. `spool.py` writes them to files at
once, and `mlflow.py` to an MLflow store (`store.py`), with `entities.py` and `known_runs.py`; `memory.py` keeps them in
memory. `replay.py` brings what a spool has to a store, in a process of its own (`mirror.py`, `replay_process.py`).
Results are in files and databases; MLflow has a copy. MLflow is imported when the first store is opened.
"""

from finetune_alf.tracking.memory import MemoryTracker
from finetune_alf.tracking.record import EpochRecord, Metric, RunRecord, RunStatus
from finetune_alf.tracking.tracker import Tracker

__all__ = ["EpochRecord", "MemoryTracker", "Metric", "RunRecord", "RunStatus", "Tracker"]
