"""Kill studies at random moments, in a process of its own: python -c "import killing; killing.main()" ARGUMENTS.

Imports once and forks for every start. Prints what survived, as JSON. Every committed trial is also acknowledged in a
file that no study reads.
"""

import argparse
import json
import os
import random
import signal
import time
import traceback
from pathlib import Path

from planted import LightPool, Planted, study, study_spec

from finetune_alf.execute import Executor, SerialExecutor
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.spec import StudySpec


def spec_of(n_trials: int, sampler: str) -> StudySpec:
    return study_spec(n_trials=n_trials, sampler=sampler, enqueue=["baseline", "decayed"])


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("root", "sampler"):
        parser.add_argument(name)
    for name in ("n_trials", "n_kills", "n_workers", "seed"):
        parser.add_argument(name, type=int)
    for name in ("latest_s", "epoch_s"):
        parser.add_argument(name, type=float)
    asked = parser.parse_args()
    rng, n_kills, n_rounds = random.Random(asked.seed), 0, 0
    while n_kills < asked.n_kills:
        n_kills += _one_study(Path(asked.root) / str(n_rounds), asked, rng, asked.n_kills - n_kills)
        n_rounds += 1
    print(json.dumps({"n_kills": n_kills, "n_rounds": n_rounds}))


def _one_study(root: Path, asked: argparse.Namespace, rng: random.Random, most: int) -> int:
    """Start a study until it ends by itself, killed on the way, at most so often. Returns how often."""
    for n_kills in range(500):
        child = os.fork()
        if child == 0:
            _run(root, asked)
        if n_kills < most:
            _wait_for_a_moment(root, asked, rng, child)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it was a zombie by then
            if os.WEXITSTATUS(status):
                raise SystemExit(f"a study failed in {root}")
            return n_kills
    raise SystemExit(f"{root}: no progress under 500 kills")


def _wait_for_a_moment(root: Path, asked: argparse.Namespace, rng: random.Random, child: int) -> None:
    """Half the time any moment; else one soon after a trial or two more, so that a slow machine gets on too."""
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, asked.latest_s))
        return
    wanted = _n_acknowledged(root) + rng.choice((1, 2))
    while _n_acknowledged(root) < wanted and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.1))


def _n_acknowledged(root: Path) -> int:
    """Count trials: each start acknowledges the finished ones once more."""
    path = root / "acknowledged"
    return len(set(path.read_text().split("\n"))) if path.exists() else 0


def _run(root: Path, asked: argparse.Namespace) -> None:
    executor: Executor = SerialExecutor() if asked.n_workers == 1 else LightPool(asked.n_workers)
    try:
        spec = spec_of(asked.n_trials, asked.sampler)
        study(root, spec, Planted(asked.epoch_s), executor, on_trial=lambda record: _acknowledge(root, record))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _acknowledge(root: Path, record: TrialRecord) -> None:
    line = json.dumps([record.number, record.score]) + "\n"
    handle = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, line.encode())
    os.close(handle)
