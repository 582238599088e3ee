"""One study and its registration by every executor: a digest over what they find, and the wall time of the study.

    python benchmarks/executors.py               one process, pools of 2 and 4, Ray with 2 workers: some minutes
    python benchmarks/executors.py --trials 8

Each run is `finetune-alf study`, then `finetune-alf register`, in a project of its own: a random encoder of two layers,
the film reviews of the package, TPE with `sampler.lag: 4`. The digest is a SHA-256 over the rates, the score and the
epochs of each trial, and over the registered schedules with their confirmed scores: all but times. It ends with 1
where two digests differ. Ray is left out where it is not installed. With fits as short as these the time is mostly that
of starting: it says what an executor costs, not what it gains.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_alf.json_files import read_json, read_jsonl

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from small_project import changed_params

LAG = 4

PARAMS = changed_params(
    {
        "project: small": "project: executors",
        "compute: {n_threads: 1, precision: fp32}\n": "",
        "hidden_size: 16": "hidden_size: 32",
        "intermediate_size: 32": "intermediate_size: 64",
        "n_train: 32": "n_train: 64",
        "n_validation: 32": "n_validation: 64",
        "n_confirmation: 32": "n_confirmation: 64",
        "max_train_frac: 0.2": "max_train_frac: 0.4",
        "max_tokens: 16": "max_tokens: 24",
        "    enqueue:": f"    sampler: {{kind: tpe, lag: {LAG}, n_startup_trials: 6}}\n    enqueue:",
        "n_trials: 12": "n_trials: N_TRIALS",
    }
)
"""The small project of the tests with larger sizes, TPE, and without the section `compute`."""

_TIMES = {"seconds", "ended_ms", "created"}


@dataclass(frozen=True)
class Setup:
    """An executor with a number of workers."""

    executor: str
    n_workers: int


def setups() -> list[Setup]:
    """Return those that this machine can run."""
    has_ray = importlib.util.find_spec("ray") is not None
    plain = [Setup("serial", 1), Setup("pool", 2), Setup("pool", 4)]
    return [*plain, *([Setup("ray", 2)] if has_ray else [])]


def prepared_project(root: Path, n_trials: int) -> Path:
    """Draw the sample and make an empty MLflow store, once for all setups."""
    root.mkdir()
    (root / "params.yaml").write_text(PARAMS.replace("N_TRIALS", str(n_trials)))
    _command(root, "prepare", "films")
    _command(root, "sync")
    return root


def run(project: Path, root: Path, setup: Setup) -> tuple[float, str]:
    """Search and register in a copy of a project; return the seconds of the search, and the digest of both."""
    shutil.copytree(project, root)
    with (root / "params.yaml").open("a") as params:
        compute = f"executor: {setup.executor}, n_workers: {setup.n_workers}"
        params.write(f"compute: {{n_threads: 1, precision: fp32, {compute}}}\n")
    started = time.monotonic()
    _command(root, "study", "tiny")
    seconds = time.monotonic() - started
    _command(root, "register", "tiny")
    return seconds, digest_of(root)


def digest_of(root: Path) -> str:
    """Return the digest of a project's trials and schedules."""
    trials = [
        {name: trial[name] for name in ("number", "state", "rates", "score", "repeats")} | _fit(trial["result"])
        for trial in read_jsonl(root / "results/study/tiny/trials.jsonl")
    ]
    lock = read_json(root / "results/schedules/tiny.json")
    schedules = {alias: locked["schedule"] for alias, locked in lock["schedules"].items()}
    found = _without_times({"trials": trials, "candidates": lock["candidates"], "schedules": schedules})
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _fit(result: dict[str, Any] | None) -> dict[str, Any]:
    return {name: result[name] for name in ("epochs", "predictions", "movement")} if result else {}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(each) for name, each in value.items() if name not in _TIMES}
    return [_without_times(each) for each in value] if isinstance(value, list) else value


def _command(root: Path, *words: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for variable in ("ALF_STUDY_STORE", "MLFLOW_TRACKING_URI"):
        environment.pop(variable, None)
    command = [sys.executable, "-m", "finetune_alf.cli", *words, "--quiet", "--root", str(root)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table, a row as soon as it is measured; return 1 where two digests differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24)
    args = parser.parse_args(arguments)
    digests = set()
    with tempfile.TemporaryDirectory(prefix="alf-executors-") as folder:
        project = prepared_project(Path(folder) / "project", args.trials)
        print("| executor | workers | seconds of the study | SHA-256 |\n|---|---|---|---|")
        for number, setup in enumerate(setups()):
            seconds, found = run(project, Path(folder) / str(number), setup)
            digests.add(found)
            print(f"| `{setup.executor}` | {setup.n_workers} | {seconds:.1f} | `{found}` |", flush=True)
    return int(len(digests) > 1)


if __name__ == "__main__":
    sys.exit(main())
