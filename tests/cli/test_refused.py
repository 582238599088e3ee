"""A second process at the same stage is refused at once, and a stage whose DVC has ended does not begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finetune_alf.locks import hold_lock
from small_project import PARAMS

COMMANDS = {
    "prepare films": "prepare-films",
    "encoder tiny": "encoder-tiny",
    "study tiny": "study-tiny",
    "importance tiny": "importance-tiny",
    "register tiny": "register-tiny",
    "register tiny --from-lock": "register-tiny",
    "report": "report",
    "transfer tiny films": "transfer-tiny-films",
    "fit --study tiny": "fit-tiny",
    "fit baseline --study tiny": "fit-tiny",
    "adapt mine": "adapt-mine",
    "freeze mine": "freeze-mine",
    "schemes mine": "schemes-mine",
    "multitask mine": "multitask",
    "budget mine": "budget-mine",
    "labels mine": "labels-mine",
    "forgetting mine": "forgetting-mine",
    "decay mine": "decay-mine",
    "run": "run",
}

EACH_IN_ONE_PROCESS = """
import sys
from click.testing import CliRunner
from finetune_alf.cli import experiment_commands
from finetune_alf.cli.entry import group
experiment_commands._check_names = lambda *_: None  # the lock of an experiment is there without its entry
for command in sys.argv[2:]:
    done = CliRunner().invoke(group, [*command.split(), "--root", sys.argv[1]])
    loaded = [name for name in ("torch", "mlflow", "transformers", "optuna") if name in sys.modules]
    print(command, done.exit_code, "holds the lock" in done.stderr, *loaded, sep="|")
"""


def in_python(script: str, *arguments: object, **environment: str) -> list[str]:
    """Run a script in a session of its own, and return its lines."""
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    settings = {**os.environ, **paths, **environment}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=True, start_new_session=True)
    return done.stdout.splitlines()


def test_a_second_process_is_refused_before_torch_and_mlflow_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    before = sorted(tmp_path.rglob("*"))
    with_locks = [hold_lock(tmp_path / "studies" / f"{lock}.lock") for lock in sorted(set(COMMANDS.values()))]
    for lock in with_locks:
        lock.__enter__()
    try:
        lines = in_python(EACH_IN_ONE_PROCESS, tmp_path, *COMMANDS)
    finally:
        for lock in with_locks:
            lock.__exit__(None, None, None)
    assert lines == [f"{command}|4|True" for command in COMMANDS]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.parts[len(tmp_path.parts)] != "studies"] == before


ORPHAN = """
import os
from finetune_alf.errors import StorageError
from finetune_alf.running.dvc_process import end_with_dvc
starter, (read, write) = os.getpid(), os.pipe()
if os.fork():
    os.close(write)
    if {waits}:
        print(os.read(read, 100).decode())
    os._exit(0)
while not {waits} and os.getppid() == starter:
    pass
try:
    end_with_dvc()
    outcome = "goes on"
except StorageError as error:
    outcome = str(error)
os.write(write, outcome.encode())
os.write(1, outcome.encode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="not Linux")
def test_a_stage_whose_dvc_has_ended_does_not_begin() -> None:
    (orphan,) = in_python(ORPHAN.format(waits=False), DVC_STAGE="study@minilm")
    assert orphan.startswith("cannot run this stage for DVC: the process of DVC that started it has ended.")
    assert "goes on" in in_python(ORPHAN.format(waits=False))[0]
    assert "goes on" in in_python(ORPHAN.format(waits=True), DVC_STAGE="study@minilm")[0]


@pytest.mark.skipif(sys.platform != "linux", reason="not Linux")
def test_a_stage_ends_with_its_dvc() -> None:
    ends = "from finetune_alf.running.dvc_process import end_with_dvc; end_with_dvc()"
    script = f"import signal; {ends}; print(1, flush=True); signal.pause()"
    starter = (
        "import subprocess, sys, os, signal\n"
        f"child = subprocess.Popen([sys.executable, '-c', {script!r}], stdout=subprocess.PIPE, stderr=1)\n"
        "child.stdout.readline()\nprint(child.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "DVC_STAGE": "x"}
    with subprocess.Popen([sys.executable, "-c", starter], env=settings, stdout=subprocess.PIPE) as dvc:
        assert dvc.stdout is not None
        child = int(dvc.stdout.readline())
        assert child
        assert dvc.stdout.read() == b""  # both have ended, since the child holds this pipe open as well
