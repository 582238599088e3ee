"""Studies of real fits of a tiny encoder with MLflow's store, to be killed and started again.

python -c "import killed_study; killed_study.main()" ROOT kills one after its first and third trial.
"""

import contextlib
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

from kills import fork
from small_project import small_context

LONGER = {"n_trials: 12": "n_trials: 6", "epochs: 4": "epochs: 8"}
"""Fewer trials than in the small project, each long enough to be killed in."""
KILLED_AFTER = (1, 3)
"""The number of complete trials at each kill."""


def import_once() -> None:
    """Import what all forks need."""
    import mlflow  # noqa: F401
    import torch  # noqa: F401
    from transformers import BertForSequenceClassification  # noqa: F401

    import finetune_alf.running.study  # noqa: F401


def prepare_project(root: Path, **changes: str) -> None:
    """Make a project with its sample and an empty MLflow store."""
    from finetune_alf.running.prepare import prepare
    from finetune_alf.tracking.store import open_store, tracking_uri

    prepare(small_context(root, **changes), "films")
    open_store(tracking_uri(root))


def run(root: Path, **changes: str) -> None:
    from finetune_alf.running.study import study

    study(small_context(root, **changes), "tiny")


def main() -> None:
    import_once()
    root = Path(sys.argv[1])
    for n_trials in (*KILLED_AFTER, None):
        child = fork(lambda: run(root, **LONGER))
        if n_trials is not None:
            _wait_for_trials(root, n_trials, child)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == (0 if n_trials is None else -signal.SIGKILL)


def _wait_for_trials(root: Path, n_trials: int, child: int) -> None:
    while _n_complete(root) < n_trials and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.01)


def _n_complete(root: Path) -> int:
    try:
        (database,) = root.glob("studies/*.db")
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()
    except (ValueError, sqlite3.OperationalError):  # not created yet, or locked
        return 0
    return int(count)
