"""F4: eight processes start one study at once, and a command is refused while another process holds its study."""

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_rows import Row, Run, at_most, none_of

from kills import fork, in_fork

N_STARTS, N_ROUNDS, N_TRIALS = 8, 3, 100
REFUSED = 3
"""The exit code of a start that was refused with the process that holds the study's lock."""


def one_study(run: Run) -> list[Row]:
    """F4: one start runs the study, the others are refused by name, and no trial is fitted twice."""
    from fake_studies import study_spec

    spec = study_spec(n_trials=N_TRIALS, sampler="random")
    twice = winners = unclear = 0
    for number in range(N_ROUNDS):
        root = run.root / f"round-{number}"
        root.mkdir()
        codes = _start_at_once(lambda root=root: _start(root, spec))
        twice += _n_other_than_once(root)
        winners += codes.count(0)
        unclear += len(codes) - codes.count(0) - codes.count(REFUSED)
        run.advance()
    done = f"{N_STARTS} processes start one study of {N_TRIALS} planted fits at once, {N_ROUNDS} times"
    return [
        none_of(done, twice, N_TRIALS * N_ROUNDS, "trials fitted twice or not at all"),
        none_of(done, abs(winners - N_ROUNDS), N_ROUNDS, "rounds with another number of winners than one"),
        none_of(done, unclear, N_STARTS * N_ROUNDS, "starts that ended in another way"),
        _refused_command(run),
    ]


@dataclass(frozen=True)
class CountedFit:
    """A planted fit that appends the number of its trial to a file."""

    path: Path

    def __call__(self, job: Any, report: Callable[[Any], bool]) -> Any:
        """Count the trial and fit it."""
        from fake_fits import FakeFit

        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{job.key.rpartition('/')[2]}\n".encode())
        os.close(handle)
        return FakeFit()(job, report)


def _start(root: Path, spec: Any) -> None:
    from fake_studies import study

    from finetune_alf.errors import LockedError

    try:
        study(root, spec, CountedFit(root / "fitted"))
    except LockedError as error:
        os._exit(REFUSED if "process " in str(error) else 1)


def _n_other_than_once(root: Path) -> int:
    """Return how many trials were fitted twice or not at all; one with the rates of another one needs no fit."""
    from finetune_alf.study.records import read_trials

    fitted = Counter((root / "fitted").read_text().split())
    records = read_trials(root / "results/study/small/trials.jsonl")
    return sum(fitted[str(record.number)] != (record.repeats is None) for record in records)


def _start_at_once(start: Callable[[], None]) -> list[int]:
    """Fork processes that wait for each other; return their exit codes."""
    reading, writing = os.pipe()

    def wait_and_start() -> None:
        os.close(writing)
        os.read(reading, 1)  # returns when the last writer closes
        start()

    children = [fork(wait_and_start) for _ in range(N_STARTS)]
    os.close(reading)
    os.close(writing)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _refused_command(run: Run) -> Row:
    """Measure the time until `finetune-alf study` is refused."""
    import killed_study

    from finetune_alf.locks import hold_lock

    root = run.root / "refused"
    in_fork(lambda: killed_study.prepare_project(root))
    ready, writing = os.pipe()

    def hold() -> None:
        with hold_lock(root / "studies" / "study-tiny.lock"):
            os.write(writing, b"1")
            signal.pause()

    holder = fork(hold)
    os.read(ready, 1)
    before = _child_s()
    command = [sys.executable, "-m", "finetune_alf.cli", "study", "tiny"]
    refused = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    used = _child_s() - before
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    if refused.returncode != 4 or str(holder) not in refused.stderr:
        raise SystemExit(f"not refused: exit code {refused.returncode}, {refused.stderr}")
    run.advance()
    return at_most("`finetune-alf study` while another process runs the study: exit code 4", used, "s of CPU", 2.0)


def _child_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
