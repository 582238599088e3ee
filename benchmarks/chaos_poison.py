"""F16: fits that hang, lack memory, kill their process or are not finite; the other trials are as without them."""

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos_rows import Row, Run, none_of

from kills import fork
from resumed import trials_of

SPACING, TIME_LIMIT_S, MAX_STARTS = 10, 2.0, 20
"""One trial in `SPACING` goes wrong."""
REASONS = {
    "hangs": "longer than job_timeout_s",
    "lacks memory": "MemoryError",
    "kills its process": "process died|worker died",
    "is not a number": "score after .* is not a number",
    "is infinite": "score after .* is infinite",
}
"""What each poisoned trial must give as its reason, in their order."""


@dataclass(frozen=True)
class PoisonedFit:
    """A planted fit that goes wrong at some trials."""

    poisons: dict[int, str]

    def __call__(self, job: Any, report: Callable[[Any], bool]) -> Any:
        """Fit a trial, or go wrong."""
        from fake_fits import FakeFit, fit_result

        poison = self.poisons.get(int(job.key.rpartition("/")[2]))
        while poison == "hangs":
            time.sleep(60)
        if poison == "lacks memory":
            bytearray(2**62)  # more than any machine has
        if poison == "kills its process":
            os.kill(os.getpid(), signal.SIGKILL)  # as the system does for lack of memory
        if poison in ("is not a number", "is infinite"):
            return fit_result(float("nan" if poison == "is not a number" else "inf"))
        return FakeFit()(job, report)


def one_in_ten(run: Run) -> list[Row]:
    """F16: the same study with and without poisoned fits, in one process and in a pool of two."""
    from fake_studies import LightPool, study, study_spec

    from finetune_alf.execute import SerialExecutor

    poisons = {SPACING * number + 1: poison for number, poison in enumerate(REASONS)}
    n_trials = SPACING * len(poisons)
    spec = study_spec(n_trials=n_trials, sampler="random")
    study(run.root / "clean", spec)
    clean = {trial[0]: trial for trial in trials_of(run.root / "clean", "small")}
    others = [number for number in clean if number not in poisons]
    executors: dict[str, Callable[[], Any]] = {
        "one process": lambda: SerialExecutor(TIME_LIMIT_S),
        "two workers": lambda: LightPool(2, TIME_LIMIT_S),
    }
    fit, rows = PoisonedFit(poisons), []
    for name, executor in executors.items():
        root = run.root / name
        n_starts = _start_until_it_ends(lambda root=root, make=executor: study(root, spec, fit, make()))
        found = {trial[0]: trial for trial in trials_of(root, "small")}
        different = sum(found.get(number) != clean[number] for number in others)
        unexplained = _n_without_reason(root, poisons)
        done = f"{name}, {n_trials} planted fits; one each {', '.join(REASONS)}; ended after {n_starts} starts"
        rows += [
            none_of(done, different, len(others), "other trials that differ from a clean run"),
            none_of(done, unexplained, len(poisons), "poisoned trials without that reason"),
        ]
        run.advance()
    return rows


def _start_until_it_ends(start: Callable[[], Any]) -> int:
    for n_starts in range(1, MAX_STARTS + 1):
        if os.waitstatus_to_exitcode(os.waitpid(fork(start), 0)[1]) == 0:
            return n_starts
    raise SystemExit(f"a study with poisoned fits did not end in {MAX_STARTS} starts")


def _n_without_reason(root: Path, poisons: dict[int, str]) -> int:
    from finetune_alf.study.records import read_trials

    records = {record.number: record for record in read_trials(root / "results/study/small/trials.jsonl")}
    return sum(
        records[number].state != "failed" or not re.search(REASONS[poison], records[number].reason or "")
        for number, poison in poisons.items()
    )
