"""F17: a start of a study that has a thousand trials, and the memory that they take."""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chaos_rows import Row, Run, at_most

from kills import in_fork

MEBIBYTE = 2**20
SETTLED_FRAC = 0.1
"""The fraction of the trials after which memory is first measured."""


def first_new_trial(run: Run) -> list[Row]:
    """F17: planted fits through the stage `study` with MLflow's store; TPE proposes the last trial from all others."""
    import killed_study

    killed_study.import_once()
    root, n_trials = run.root / "long", run.n_trials
    in_fork(lambda: killed_study.prepare_project(root, **_settings(n_trials, n_trials)))
    shutil.copytree(root, run.root / "short")
    in_fork(lambda: _planted_study(root, n_trials, n_trials))
    run.advance()
    memory = [json.loads(line) for line in (root / "memory").read_text().splitlines()]
    n_settled = round(SETTLED_FRAC * len(memory))
    grown = (memory[-1] - memory[n_settled]) / MEBIBYTE * 1000 / (len(memory) - n_settled)
    in_fork(lambda: _planted_study(root, n_trials, n_trials + 1))
    run.advance()
    done = f"a study of {n_trials:,} planted trials with MLflow's store"
    (cpu_s, wall_s) = json.loads((root / "first-new").read_text())
    again = (
        f"{done} is started again: from its start to its first new trial, without imports ({wall_s:.1f} s of wall time)"
    )
    return [
        at_most(again, cpu_s, "s of CPU", 3.0),
        at_most(f"{done}, resident memory of its process", grown, "MiB per 1,000 trials", 5.0),
    ]


def _settings(n_startup: int, n_trials: int) -> dict[str, str]:
    sampler = f"sampler: {{kind: tpe, n_startup_trials: {n_startup}}}"
    return {
        "n_trials: 12": f"n_trials: {n_trials}\n    {sampler}",
        "{kind: choices, rates: [0, 1e-4, 1e-3, 1e-2]}": "{kind: log, low: 1e-5, high: 1e-2}",
    }


def _planted_study(root: Path, n_startup: int, n_trials: int) -> None:
    """Run the stage with planted fits; write the resident memory after each of them, and when the first began."""
    import killed_study

    from finetune_alf.running import study as stage

    _import_all(root.parent / "short")
    run_study, started = stage.run_study, (time.process_time(), time.monotonic())

    def fit(job: Any, report: Callable[[Any], bool]) -> Any:
        if not (root / "first-new").exists() and n_trials > n_startup:
            began = (time.process_time() - started[0], time.monotonic() - started[1])
            (root / "first-new").write_text(json.dumps(began))
        result = _planted_fit(job.recipe.rates.layers, report)
        with (root / "memory").open("a") as file:
            file.write(f"{_resident_bytes()}\n")
        return result

    def planted(*args: Any, **kwargs: Any) -> Any:
        return run_study(*args, **{**kwargs, "work": fit})

    stage.run_study = planted
    killed_study.run(root, **_settings(n_startup, n_trials))


def _import_all(root: Path) -> None:
    """Run or find finished a study of one trial, which imports what a start imports late."""
    import killed_study

    killed_study.run(root, **_settings(1, 1))


def _planted_fit(rates: Sequence[float], report: Callable[[Any], bool]) -> Any:
    """Return a fit of the usual size, whose score depends on the rates alone."""
    from fake_fits import epochs_up_to, fit_result

    epochs = epochs_up_to(1 / (1 + abs(math.log10(rates[-1] / 1e-3))))
    for epoch in epochs:
        report(epoch)
    return fit_result(epochs[-1].validation_score, epochs).model_copy(update={"predictions": (0, 1) * 200})


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
