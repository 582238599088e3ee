"""Kill, starve and crowd studies on purpose, and count what is lost: the table of docs/reliability.md.

    python benchmarks/chaos.py --kills 200 --seed 1      all figures, as a table in Markdown
    python benchmarks/chaos.py --kills 20 --only F1,F2   some of them

Fits are planted or those of a tiny random encoder; coordinator, database, executors, MLflow's store and DVC are real.
Needs Linux, for /proc. The exit code is 1 where a goal is missed. With the same seed the same moments are drawn; when a
kill meets the study still depends on the machine's speed.
"""

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos_rows import Row

HERE = Path(__file__).resolve().parent
PACKAGES = ("optuna", "mlflow-skinny", "torch", "transformers", "dvc")
TESTS = HERE.parent / "tests"
IMPORTED = (HERE, TESTS, TESTS / "study", TESTS / "running", TESTS / "tracking")
"""The folders of what the figures share with the tests."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the figures and print their table."""
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    sys.path[:0] = [str(folder) for folder in IMPORTED]
    from chaos_figures import FIGURES  # here, since the workers that a figure spawns import this file again

    figures = "\n".join(f"{name:4} {figure.counts}; goal: {figure.goal}" for name, figure in FIGURES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=figures, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="of coordinators; F2 kills twice as many workers")
    parser.add_argument("--only", type=lambda text: text.split(","), help="figures, as in F1,F2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=1000, help="of the long study, F17")
    args = parser.parse_args(arguments)
    names = args.only or list(FIGURES)
    if unknown := set(names) - set(FIGURES):
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    print(_heading(args.kills, args.seed), flush=True)
    is_met = True
    for name in names:
        done = ""
        for row in measure(name, args.kills, args.seed, args.trials):
            goal = row.goal if row.is_met else f"{row.goal}, **missed**"
            print(f"| {name} | {row.done if row.done != done else ''} | {row.found} | {goal} |", flush=True)
            done, is_met = row.done, is_met and row.is_met
    return 0 if is_met else 1


def measure(name: str, n_kills: int, seed: int, n_trials: int) -> "list[Row]":
    """Measure one figure in a temporary folder."""
    from chaos_figures import FIGURES
    from chaos_rows import Run

    figure = FIGURES[name]
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        bar = _Bar(name, figure.n_steps(n_kills))
        rng = random.Random(f"{seed} {name}")  # noqa: S311 - moments of kills
        return figure.measure(Run(Path(folder), rng, n_kills, n_trials, bar.advance))


class _Bar:
    """Progress on standard error, without a thread: forks would inherit it."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._done, self._started = name, total, 0, time.monotonic()

    def advance(self) -> None:
        self._done += 1
        elapsed = time.monotonic() - self._started
        filled = 20 * self._done // max(self._total, 1)
        end = "\n" if self._done >= self._total else ""
        line = f"\r{self._name} [{'#' * filled:.<20}] {self._done}/{self._total} {elapsed:.0f} s"
        print(line, end=end, file=sys.stderr, flush=True)


def _heading(n_kills: int, seed: int) -> str:
    from finetune_alf.running.context import git_commit

    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    commit = (git_commit(HERE) or "no repository")[:12]
    return (
        f"`--kills {n_kills} --seed {seed}`; {os.cpu_count()} cores, {platform.machine()}, Linux "
        f"{platform.release()}, Python {platform.python_version()}; commit {commit}; {versions}\n\n"
        "| figure | what was done | 0 of N | goal |\n|---|---|---|---|"
    )


if __name__ == "__main__":
    sys.exit(main())
