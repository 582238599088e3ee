"""Kill studies at random moments, in a separate process: python -c "import killing; killing.main()" ARGUMENTS.

It imports once and forks a child for each start of a study. It prints the numbers of kills and studies as JSON. Each
child writes the trials that were committed to a file `acknowledged`, which no study reads.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

from fake_fits import SelfKillingFit
from fake_studies import FakeFit, LightPool, study, study_spec

from finetune_alf.execute import Executor, SerialExecutor, attempts
from finetune_alf.study import coordinator
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
    args = parser.parse_args()
    attempts.MAX_ATTEMPTS = coordinator.MAX_ATTEMPTS = args.n_kills + 1  # these kills come from outside the fits
    rng, n_kills, n_studies = random.Random(args.seed), 0, 0
    while n_kills < args.n_kills:
        n_kills += _run_with_kills(Path(args.root) / str(n_studies), args, rng, args.n_kills - n_kills)
        n_studies += 1
    print(json.dumps({"n_kills": n_kills, "n_studies": n_studies}))


def _run_with_kills(root: Path, args: argparse.Namespace, rng: random.Random, max_kills: int) -> int:
    """Start a study and kill it, up to `max_kills` times, until it ends by itself. Return the number of kills."""
    for n_kills in range(500):
        child = os.fork()
        if child == 0:
            _run_study(root, args)
        if n_kills < max_kills:
            _wait(root, args, rng, child)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it ended before the kill
            if os.WEXITSTATUS(status):
                raise SystemExit(f"a study failed in {root}")
            return n_kills
    raise SystemExit(f"{root}: no progress under 500 kills")


def _wait(root: Path, args: argparse.Namespace, rng: random.Random, child: int) -> None:
    """Wait until the kill: half of the time for a random time, else until one or two more trials are finished.

    The second way makes progress on slow machines too.
    """
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, args.latest_s))
        return
    target = _n_acknowledged(root) + rng.choice((1, 2))
    while _n_acknowledged(root) < target and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.1))


def _n_acknowledged(root: Path) -> int:
    """Return the number of trials; each start acknowledges the finished ones again."""
    path = root / "acknowledged"
    return len(set(path.read_text().split("\n"))) if path.exists() else 0


def _run_study(root: Path, args: argparse.Namespace) -> None:
    executor: Executor = SerialExecutor() if args.n_workers == 1 else LightPool(args.n_workers)
    try:
        spec = spec_of(args.n_trials, args.sampler)
        study(root, spec, FakeFit(args.epoch_s), executor, on_trial=lambda record: _acknowledge(root, record))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _acknowledge(root: Path, record: TrialRecord) -> None:
    line = json.dumps([record.number, record.score]) + "\n"
    handle = os.open(root / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, line.encode())
    os.close(handle)


def count_starts() -> None:
    """Start a study whose fit of trial 3 kills its process, until it ends by itself. Print the number of starts."""
    root = Path(sys.argv[1])
    for n_starts in range(1, 20):
        child = os.fork()
        if child == 0:
            study(root, spec_of(6, "tpe"), SelfKillingFit(trial=3))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(n_starts)
            sys.exit(os.WEXITSTATUS(status))
