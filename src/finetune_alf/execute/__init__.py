"""Executors: run jobs one after another in this process, several as one fused computation, or in worker processes.

An executor does not know studies: what a job is, and what its result means, is defined by the caller.
"""

from finetune_alf.execute.attempts import MAX_ATTEMPTS, AttemptLog, run_attempts
from finetune_alf.execute.fused import FusedExecutor
from finetune_alf.execute.jobs import (
    NOT_READY,
    Callbacks,
    Executor,
    FusedWork,
    Jobs,
    NotReady,
    OnReport,
    Outcome,
    Report,
    Work,
)
from finetune_alf.execute.pool import PoolExecutor
from finetune_alf.execute.serial import SerialExecutor

__all__ = [
    "MAX_ATTEMPTS",
    "NOT_READY",
    "AttemptLog",
    "Callbacks",
    "Executor",
    "FusedExecutor",
    "FusedWork",
    "Jobs",
    "NotReady",
    "OnReport",
    "Outcome",
    "PoolExecutor",
    "Report",
    "SerialExecutor",
    "Work",
    "run_attempts",
]
