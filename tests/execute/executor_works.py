"""Works for the executor tests: importable in worker processes, and with failures on demand."""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from finetune_alf.errors import DataError
from finetune_alf.execute import Callbacks, Outcome
from finetune_alf.execute.jobs import attempt

Report = Callable[[Any], bool]


def square(job: int, report: Report) -> int:
    return job * job


def process_of(job: int, report: Report) -> int:
    return os.getpid()


def fail_on_odd(job: int, report: Report) -> int:
    if job % 2:
        raise ValueError(f"{job} is odd")
    return job


def fail_or_process_of(job: int, report: Report) -> int:
    """Fail at job 0, naming the process; return it at others."""
    if job == 0:
        raise RuntimeError(f"process {os.getpid()}")
    return os.getpid()


def refuse(job: int, report: Report) -> int:
    raise DataError("sample: must be there, but got nothing. Draw it.")


def count_up(job: int, report: Report) -> int:
    """Report 0, 1, 2 … until a report returns False; return the number of reports."""
    for number in range(job):
        if not report(number):
            return number + 1
    return job


def report_and_go_on(job: Path, report: Report) -> bool:
    """Report, then write a file."""
    answer = report("before the file")
    job.write_text("after the report")
    return answer


_late: list[Report] = []


def report_late(job: int, report: Report) -> list[bool]:
    """Report with the callback of the job before this one, if any, then with its own; return the answers."""
    callbacks = [*_late, report]
    _late[:] = [report]
    return [callback(job) for callback in callbacks]


def count_up_or_fail(job: int, report: Report) -> int:
    if job < 0:
        raise ValueError(f"{job} is negative")
    return count_up(job, report)


def die_hang_or_report_late(job: int | str, report: Report) -> list[bool]:
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while job == "hang":
        time.sleep(60)
    return report_late(int(job), report)


def return_lambda(job: int, report: Report) -> Callable[[], None]:
    return lambda: None


def sleep(job: float, report: Report) -> float:
    time.sleep(job)
    return job


def hang(job: int, report: Report) -> int:
    """Never return from job 0."""
    while job == 0:
        time.sleep(60)
    return job


def hang_in_c(job: int, report: Report) -> int:
    """Stay in job 0 for a long time, within a call of C code that looks at no signal."""
    if job == 0:
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    return job


@dataclass(frozen=True)
class Measured:
    """Says how much room its device has; with some, a worker takes so long that another one gets a job."""

    workers_room: int

    def __call__(self, job: int, report: Report) -> int:
        time.sleep(0.5 if self.workers_room else 0.0)
        return os.getpid()

    def room(self) -> int:
        return self.workers_room


@dataclass(frozen=True)
class ReadsFiles:
    """Reads the file of its job's name, which is brought to it."""

    folder: Path

    def __call__(self, job: str, report: Report) -> str:
        return Path(job).read_text()

    def files_of(self, job: str) -> dict[str, dict[str, Path]]:
        return {job: {"text": self.folder / job}}

    def moved(self, job: str, folders: Mapping[str, Path]) -> str:
        return str(folders[job] / "text")


@dataclass(frozen=True)
class DiesAtFirst:
    """Ends its own process in the first `n_deaths` attempts at each job, or at some; counts attempts in files."""

    folder: Path
    n_deaths: int
    by_signal: bool
    jobs: tuple[int, ...] | None = None

    def __call__(self, job: int, report: Report) -> int:
        n_before = len(list(self.folder.glob(f"{job}-*")))
        (self.folder / f"{job}-{n_before}").touch()
        if n_before < self.n_deaths and (self.jobs is None or job in self.jobs):
            if self.by_signal:
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(3)
        return job


class CannotLoad:
    """Pickles well and cannot be loaded."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (_raise_import_error, ("no module of that name",))

    def __call__(self, job: int, report: Report) -> int:
        return job


def _raise_import_error(text: str) -> None:
    raise ImportError(text)


class DiesLoading(CannotLoad):
    """Ends the process that loads it."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[int]]:
        return (os._exit, (9,))


@dataclass(frozen=True)
class FusedWorks:
    """Runs several jobs as one computation by means of another work."""

    work: Callable[[Any, Report], Any]

    def __call__(self, job: Any, report: Report) -> Any:
        return self.work(job, report)

    def run_fused(self, jobs: list[Any], report: Callable[[Any, Any], bool]) -> Iterator[Outcome[Any, Any]]:
        for job in jobs:
            result, failure = attempt(self.work, job, partial(report, job))
            yield Outcome(job, result, failure)


def report_pid_and_hang(job: int, report: Report) -> None:
    report(os.getpid())
    time.sleep(60)


def coordinate() -> None:
    """Run two hanging jobs in a pool, and print each worker's process id."""
    from finetune_alf.execute import PoolExecutor

    def print_pid(job: int, pid: int) -> bool:
        print(pid, flush=True)
        return True

    for _ in PoolExecutor(2).run(iter([0, 1]), report_pid_and_hang, Callbacks(on_report=print_pid)):
        pass


def hang_alone() -> None:
    """Hang in C code in this process, with a time limit, and little patience after it."""
    from finetune_alf.execute import SerialExecutor, timeout

    timeout.RETURN_S = 0.2
    list(SerialExecutor(job_timeout_s=0.1).run(iter([0]), hang_in_c))
