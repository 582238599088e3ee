"""Ending: one message, the documented exit code, no traceback unless asked for."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from finetune_alf.cli.guard import GuardedGroup
from finetune_alf.errors import AlfError, LockedError, ParamsError, PartialError, TrackingError, WorkerError


def ended(body: Callable[[], None], *words: str) -> Result:
    @click.group(cls=GuardedGroup)
    @click.option("--debug", is_flag=True)
    def group(debug: bool) -> None:
        pass

    @group.command()
    @click.argument("name", required=False)
    def work(name: str | None) -> None:
        body()

    return CliRunner().invoke(group, [*words, "work", "a b"])


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AlfError("what is wrong"), 1),
        (ParamsError("what is wrong"), 3),
        (TrackingError("what is wrong"), 4),
        (LockedError("what is wrong"), 4),
        (PartialError("what is wrong"), 5),
    ],
)
def test_an_error_of_ours_is_one_message_and_its_exit_code(error: AlfError, code: int) -> None:
    result = ended(raising(error))
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "what is wrong\n")


def test_where_workers_are_out_of_reach_the_command_that_resumes_is_printed() -> None:
    result = ended(raising(WorkerError("The head is lost.")))
    assert (result.exit_code, result.stderr) == (4, "The head is lost. To resume: finetune-alf work 'a b'\n")


def test_debug_shows_the_traceback_too() -> None:
    result = ended(raising(ParamsError("what is wrong")), "--debug")
    assert result.exit_code == 3
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("what is wrong\n")


def test_the_systems_own_errors_are_storage_errors() -> None:
    result = ended(raising(OSError(28, "No space left on device", "results/x.json")))
    assert result.exit_code == 4
    assert result.stderr.startswith("cannot access results/x.json: no space left on device. Free space")


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    assert isinstance(ended(raising(ZeroDivisionError())).exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("number", "code", "named"),
    [
        (signal.SIGINT, 130, "Ctrl-C"),
        (signal.SIGTERM, 143, "the signal SIGTERM"),
        (signal.SIGHUP, 129, "the signal SIGHUP"),
    ],
    ids=lambda value: str(value),
)
def test_a_signal_ends_a_command_and_says_how_to_go_on(number: signal.Signals, code: int, named: str) -> None:
    before = signal.getsignal(number)
    result = ended(lambda: os.kill(os.getpid(), number))
    assert result.exit_code == code
    assert result.stderr.startswith(f"Stopped by {named}.")
    assert result.stderr.endswith("finetune-alf work 'a b'\n")
    assert signal.getsignal(number) is before


def test_an_interrupt_that_a_stage_passes_on_is_one_too() -> None:
    assert ended(raising(KeyboardInterrupt())).exit_code == 130


def test_a_second_signal_ends_at_once() -> None:
    code = (
        "import os, signal, time\n"
        "from finetune_alf.cli.stops import listening\n"
        "with listening():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(60)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 130


def test_an_interrupt_ends_a_wait_after_libraries_were_loaded() -> None:
    """MLflow loads polars, whose own handler lets Linux start a waiting call anew."""
    code = (
        "import subprocess, sys\n"
        "from finetune_alf.cli.stops import listening\n"
        "from finetune_alf.tracking.store import load_mlflow\n"
        "with listening():\n"
        "    load_mlflow()\n"
        "    assert 'polars' in sys.modules\n"
        "    with subprocess.Popen(['sleep', '60']) as sleeping:\n"
        "        print(sleeping.pid, flush=True)\n"
        "        try:\n"
        "            sleeping.wait()\n"
        "        finally:\n"
        "            sleeping.kill()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        time.sleep(1)  # until it waits
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) != 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def test_what_was_ignored_stays_ignored() -> None:
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert ended(lambda: os.kill(os.getpid(), signal.SIGHUP)).exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, kept)


def finetune_alf(*words: str, **environment: str) -> list[str]:
    return [sys.executable, "-m", "finetune_alf.cli", *words]


def test_a_reader_that_leaves_is_no_error() -> None:
    """As `finetune-alf params schema | head -1`: the schema is larger than what a closed pipe takes."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        finetune_alf("params", "schema"), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode in (1, 141)


@pytest.mark.parametrize("words", [("--help",), ("schedules", "list"), ("params", "schema")])
def test_a_full_disk_behind_standard_output_is_named(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            finetune_alf(*words), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 4
    assert done.stderr.startswith("cannot write standard output: no space left on device. Free space on that disk")
    assert done.stderr.count("\n") == 1


def test_a_full_disk_behind_standard_error_ends_no_work() -> None:
    """As `finetune-alf study 2> /dev/full`: what would be told is lost, and nothing else."""
    work = (
        "import logging; from finetune_alf.cli.streams import open_streams; open_streams();"
        "from finetune_alf.cli.console import TerminalConsole; logging.basicConfig();"
        "console = TerminalConsole()\n"
        "with console.progress('study', 20) as bar:\n"
        "    for trial in range(20): bar.advance(); logging.warning('a trial failed')\n"
        "console.log('done')"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", work], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stdout) == (0, "done\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_come_in_their_order_whatever_python_buffers(unbuffered: str) -> None:
    code = (
        "import os, sys; from finetune_alf.cli.streams import open_streams; open_streams();"
        "sys.stderr.write('first\\n'); os.write(2, b'second\\n'); sys.stderr.write('third\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == "first\nsecond\nthird\n"


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"NO_COLOR": "1", "TERM": "dumb"}]
)
def test_any_locale_can_be_told_of_any_character(environment: dict[str, str]) -> None:
    done = subprocess.run(
        finetune_alf("params", "check", "--params", "🎬…"),
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert b"must be a file or one of the presets" in done.stderr
    assert b"\x1b" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_signal_that_comes_within_a_finalizer_ends_the_command_as_any_other() -> None:
    """Python drops what is raised there, and would drop the signal with it."""
    code = (
        "import signal, time\n"
        "from finetune_alf.cli.stops import Stopped, listening\n"
        "class Finalized:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "with listening():\n"
        "    try:\n"
        "        Finalized()\n"
        "        time.sleep(60)\n"
        "    except Stopped as stop:\n"
        "        print('stopped by', stop.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("stopped by SIGTERM\n", "")
