"""What a process does that DVC has started: it ends with the `dvc repro` that waits for it."""

import os
import signal
import sys

from finetune_alf.errors import StorageError
from finetune_alf.processes import signal_when_parent_ends


def is_dvc_stage() -> bool:
    """Whether `dvc repro` or `dvc exp run` started this process."""
    return "DVC_STAGE" in os.environ


def end_with_dvc() -> None:
    """Ask Linux to end a DVC stage with its `dvc repro`: a killed one would leave it writing beside the next.

    Raises StorageError where that has ended already. This comes before all else: what is loaded takes seconds.
    """
    if is_dvc_stage() and sys.platform == "linux":
        signal_when_parent_ends(signal.SIGTERM)
        if _is_orphan():
            raise StorageError(
                "cannot run this stage for DVC: the process of DVC that started it has ended. Run `dvc repro` again."
            )


def _is_orphan() -> bool:
    """Whether the parent is another process than the one that started this, which belongs to the same session.

    The system gives an orphan to a process of another session: init, or a service manager.
    """
    return os.getsid(os.getppid()) != os.getsid(0)
