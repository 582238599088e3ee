"""Kill studies of fake fits, in a separate process: python -c "import killing; killing.main()" ARGUMENTS.

It prints the numbers of kills and studies as JSON.
"""

import argparse
import json
import os
import random
import signal
import sys
from pathlib import Path

from fake_fits import SelfKillingFit
from fake_studies import FakeFit, LightPool, study, study_spec

from finetune_alf.execute import Executor, SerialExecutor
from finetune_alf.study.spec import StudySpec
from kills import Kills, acknowledge, allow_attempts, kill_until_it_ends


def spec_of(n_trials: int, sampler: str) -> StudySpec:
    return study_spec(n_trials=n_trials, sampler=sampler, enqueue=["baseline", "decayed"])


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("root", "sampler"):
        parser.add_argument(name)
    for name in ("n_trials", "n_kills", "n_worker_kills", "n_workers", "seed"):
        parser.add_argument(name, type=int)
    for name in ("latest_s", "epoch_s"):
        parser.add_argument(name, type=float)
    args = parser.parse_args()
    kills = Kills(random.Random(args.seed), args.latest_s, args.n_kills, args.n_worker_kills)
    kill_studies(Path(args.root), spec_of(args.n_trials, args.sampler), kills, args.n_workers, args.epoch_s)
    counts = {"n_kills": kills.n_coordinators, "n_worker_kills": kills.n_workers, "n_studies": kills.n_studies}
    print(json.dumps({**counts, "n_survivors": kills.survivors}))


def kill_studies(root: Path, spec: StudySpec, kills: Kills, n_workers: int, epoch_s: float) -> None:
    """Run studies of fake fits in `root/0`, `root/1`, … until all kills are done."""
    allow_attempts(kills.coordinators + kills.workers + 1)
    while kills.are_left:
        folder = root / str(kills.n_studies)

        def start(folder: Path = folder) -> None:
            executor: Executor = SerialExecutor() if n_workers == 1 else LightPool(n_workers)
            study(folder, spec, FakeFit(epoch_s), executor, on_trial=lambda record: acknowledge(folder, record))

        kill_until_it_ends(start, folder, kills)


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
        assert os.WTERMSIG(status) == signal.SIGKILL
