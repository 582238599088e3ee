"""Locks on files: who ends gives the lock back, also where a child that it was just starting has it for a moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finetune_alf.errors import LockedError
from finetune_alf.locks import TAKE_OVER_S, hold_lock

OWNER = """
import os, sys, time
from pathlib import Path
from finetune_alf.locks import hold_lock

with hold_lock(Path(sys.argv[1])):
    if os.fork() == 0:  # as a process that is about to run its own program
        time.sleep(float(sys.argv[2]))
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def owner(path: Path, child_s: float) -> subprocess.Popen[str]:
    """Start a process that holds a lock, and whose child has it as well for so many seconds."""
    command = [sys.executable, "-c", OWNER, str(path), str(child_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_lock_of_an_owner_that_has_ended_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    killed(owner(path, child_s=1.0))
    with hold_lock(path):
        assert f'"pid": {os.getpid()}' in path.read_text()


def test_a_lock_whose_owner_goes_on_is_refused_at_once_and_one_that_a_child_keeps_later(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    process = owner(path, child_s=TAKE_OVER_S + 10)
    began = time.monotonic()
    with pytest.raises(LockedError, match=f"process {process.pid} on "), hold_lock(path):
        pass
    assert time.monotonic() - began < TAKE_OVER_S / 2
    killed(process)
    with pytest.raises(LockedError, match="holds the lock"), hold_lock(path):
        pass
    assert time.monotonic() - began >= TAKE_OVER_S


@pytest.mark.parametrize("written", ["", "[]", "{}", '{"pid": 1e999, "host": 1}', '{"pid": "1"}'])
def test_what_a_lock_file_holds_does_not_matter_for_who_may_have_it(tmp_path: Path, written: str) -> None:
    path = tmp_path / "x.lock"
    with hold_lock(path):
        path.write_text(written)
        with pytest.raises(LockedError, match="another process holds the lock"), hold_lock(path):
            pass
    with hold_lock(path):
        pass
