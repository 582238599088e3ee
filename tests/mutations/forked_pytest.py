"""Runs of pytest, each in a fork of a process that has imported the vendors but not the package.

The imports take longer than most of the tests. `ForkedPytest` is the caller's side, `serve` the process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENDED_BY_US = -signal.SIGKILL


class ForkedPytest:
    """One process, which runs pytest in one fork at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-c", "import forked_pytest; forked_pytest.serve()"]
        self._server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(Path(__file__).parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], sources: Path, time_limit_s: float) -> tuple[int, str]:
        """Return exit code and output of pytest, with the package in `sources`; ENDED_BY_US at the time limit."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with tempfile.NamedTemporaryFile() as output:
            order = {"arguments": arguments, "sources": str(sources), "limit_s": time_limit_s, "output": output.name}
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            exit_code = int(self._server.stdout.readline())
            return exit_code, Path(output.name).read_text("utf-8", "replace")

    def close(self) -> None:
        """End the process."""
        self._server.communicate()


def serve() -> None:
    import pytest  # noqa: F401 - all of these once, for every fork
    import torch  # noqa: F401
    from transformers import BertForSequenceClassification  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run_pytest(order)
        print(_exit_code(child, order["limit_s"]), flush=True)


def _run_pytest(order: dict[str, object]) -> None:
    import pytest

    os.setsid()  # so that processes of a test end with it
    output = os.open(str(order["output"]), os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ["PYTHONPATH"] = str(order["sources"])
    sys.path[:] = [str(order["sources"]), *(path for path in sys.path if path != str(Path(__file__).parent))]
    arguments = order["arguments"]
    assert isinstance(arguments, list)
    code = pytest.main(arguments)
    sys.stdout.flush()
    os._exit(code)


def _exit_code(child: int, limit_s: float) -> int:
    """Wait for a child; end it and all that it started at the time limit."""
    deadline = time.monotonic() + limit_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return ENDED_BY_US
        time.sleep(0.05)
