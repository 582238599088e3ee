"""Where jobs run: one after another in this process, several as one computation, or in a pool of worker processes.

An executor knows jobs, not studies: what a job is, and what its result means, is its caller's business.
"""

from finetune_alf.execute.fused import FusedExecutor
from finetune_alf.execute.jobs import Executor, FusedWork, OnMessage, Outcome, Report, Work, WorkerError
from finetune_alf.execute.pool import PoolExecutor
from finetune_alf.execute.serial import SerialExecutor

__all__ = [
    "Executor",
    "FusedExecutor",
    "FusedWork",
    "OnMessage",
    "Outcome",
    "PoolExecutor",
    "Report",
    "SerialExecutor",
    "Work",
    "WorkerError",
]
