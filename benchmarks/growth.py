"""What a study costs after so many trials: proposals, database, MLflow, memory and the page.

    python benchmarks/growth.py                                     40, 100, 1,000 and 10,000 trials: about ten minutes
    python benchmarks/growth.py --trials 100 1000
    python benchmarks/growth.py --only proposal --trials 100000

One real trial of a random encoder of twelve layers is fitted by `finetune-alf study`. The others are planted: rows of
Optuna's tables, with what this package writes into them and with its checksums, and copies of the trial's run in
MLflow's SQLite file. Then are measured

* proposal: TPE suggests the next trial, 13 params of 7 choices, once it has observed all others;
* store: all trials are read and checked, and one more is created and finished;
* start: `finetune-alf study` on a study that has all its trials, and all its runs in MLflow: nothing is left to do;
* page: `finetune-alf report`.

Times are of CPU unless they are called wall times, and commands have their imports in them: what a start costs after
100 trials is mostly that. Memory is the highest resident set of a process.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from executors import PARAMS
from growth_rows import plant_runs, plant_trials, quick
from proposals import N_LAYERS, SPACE, observations

from finetune_alf.paths import Paths
from finetune_alf.study.databases import known_studies, study_database
from finetune_alf.study.records import read_trials
from finetune_alf.study.sampler import StudySampler
from finetune_alf.study.spec import TpeSampler
from finetune_alf.study.store import open_store

SIZES = (40, 100, 1_000, 10_000)
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Cost:
    """What a process took, those that it waited for included."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def first_project(root: Path) -> None:
    """Make a project whose study has one trial that was fitted."""
    root.mkdir()
    _write_params(root, 1)
    for words in (("prepare", "films"), ("study", "tiny")):
        measured(*_cli(root, *words))


def _write_params(root: Path, n_trials: int) -> None:
    space = f"{{kind: choices, rates: {list(SPACE.rates)}}}"
    deeper = PARAMS.replace("num_hidden_layers: 2", f"num_hidden_layers: {N_LAYERS}").replace(
        "{kind: choices, rates: [0, 1e-4, 1e-3, 1e-2]}", space
    )
    uniform = deeper.replace("rate: 1e-2, head: 1e-2", "rate: 1e-4, head: 1e-2")
    text = uniform.replace("N_TRIALS", str(n_trials)) + "compute: {n_threads: 1, precision: fp32}\n"
    (root / "params.yaml").write_text(text)


def plant(root: Path, n_trials: int, *, with_runs: bool) -> None:
    """Give a copy of the first project so many trials, and as many runs."""
    _write_params(root, n_trials)
    (database,) = (root / "studies").glob("*.db")
    plant_trials(database, read_trials(root / "results/study/tiny/trials.jsonl")[0], n_trials)
    if with_runs:
        plant_runs(root / "mlruns/mlflow.db", n_trials)


def proposal_ms(n_trials: int) -> float:
    """Return the milliseconds of CPU of a proposal after so many trials."""
    observed = observations(n_trials + 2)
    sampler = StudySampler(TpeSampler(), SPACE, N_LAYERS, seed=0)
    sampler.suggest(n_trials, observed[:n_trials])
    times = []
    for number in (n_trials + 1, n_trials + 2):
        started = time.process_time()
        sampler.suggest(number, observed[:number])
        times.append(1_000 * (time.process_time() - started))
    return min(times)


def use_store(root: Path) -> None:
    """Read all trials of a study, then add some; print the seconds of CPU of the first, and of the wall of one more."""
    paths = Paths(root)
    (known,) = known_studies(paths, "tiny")
    started = time.process_time()
    with open_store(study_database(paths, "tiny", known.identity), known.identity) as store:
        trials = store.finished_trials()
        read_s = time.process_time() - started
        times = []
        for number in range(len(trials), len(trials) + 5):
            record = trials[-1].model_copy(update={"number": number})
            params = SPACE.params_of(record.rates)
            started = time.monotonic()
            pending = store.create_trial(number, params, SPACE.distributions(N_LAYERS), record.rates)
            store.write_attempts(pending)
            store.finish_trial(record)
            times.append(time.monotonic() - started)
    print(json.dumps({"n": len(trials), "read_s": read_s, "one_more_ms": 1_000 * statistics.median(times)}))


def measured(*command: str) -> tuple[Cost, str]:
    """Run a command to its end; return what it took, and what it printed."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1024), printed


def _environment() -> dict[str, str]:
    unset = ("ALF_STUDY_STORE", "MLFLOW_TRACKING_URI")
    return {name: value for name, value in os.environ.items() if name not in unset} | {"OMP_NUM_THREADS": "1"}


def _cli(root: Path, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "finetune_alf.cli", *words, "--quiet", "--root", str(root))


def measure_proposal(root: Path, n_trials: int) -> dict[str, str]:
    """Return the cells of a proposal."""
    return {"proposal, ms": f"{proposal_ms(n_trials):,.0f}"}


def measure_store(root: Path, n_trials: int) -> dict[str, str]:
    """Return the cells of the database."""
    (database,) = (root / "studies").glob("*.db")
    size = database.stat().st_size / MEBIBYTE
    cost, printed = measured(sys.executable, __file__, "--store", str(root))
    found = json.loads(printed)
    assert found["n"] == n_trials
    return {
        "database, MiB": f"{size:,.1f}",
        "all read, s": f"{found['read_s']:,.2f}",
        "one more, ms wall": f"{found['one_more_ms']:,.0f}",
        "all read, MiB of memory": f"{cost.peak_mib:,.0f}",
    }


def measure_start(root: Path, n_trials: int) -> dict[str, str]:
    """Return the cells of a start with nothing to do; it must make no run."""
    before = _n_runs(root)
    cost, _ = measured(*_cli(root, "study", "tiny"))
    assert before == _n_runs(root) == n_trials + 1
    return {
        "start, s": f"{cost.cpu_s:,.1f}",
        "start, s wall": f"{cost.wall_s:,.1f}",
        "start, MiB of memory": f"{cost.peak_mib:,.0f}",
    }


def _n_runs(root: Path) -> int:
    with quick(root / "mlruns/mlflow.db") as connection:
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])


def measure_page(root: Path, n_trials: int) -> dict[str, str]:
    """Return the cells of the page, which reads what a start has written."""
    cost, _ = measured(*_cli(root, "report"))
    size = (root / "results/report/report.html").stat().st_size / MEBIBYTE
    return {
        "page, s": f"{cost.cpu_s:,.1f}",
        "page, MiB of memory": f"{cost.peak_mib:,.0f}",
        "its file, MiB": f"{size:,.1f}",
    }


MEASURES: dict[str, Callable[[Path, int], dict[str, str]]] = {
    "proposal": measure_proposal,
    "start": measure_start,
    "page": measure_page,
    "store": measure_store,  # last: it adds trials
}


def rows(n_trials: int, root: Path, only: Sequence[str]) -> dict[str, str]:
    """Measure one number of trials in a project that has its first one; return cells by their heads."""
    if set(only) - {"proposal"}:
        plant(root, n_trials, with_runs=bool({"start", "page"} & set(only)))
    cells = {"trials": f"{n_trials:,}"}
    for name, measure in MEASURES.items():
        if name in only:
            cells |= measure(root, n_trials)
    return cells


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.store:
        use_store(args.store)
        return
    with tempfile.TemporaryDirectory(prefix="alf-growth-") as folder:
        project = Path(folder) / "project"
        if set(args.only) - {"proposal"}:
            first_project(project)
        for number, n_trials in enumerate(args.trials):
            root = Path(folder) / str(n_trials)
            if project.exists():
                shutil.copytree(project, root)
            cells = rows(n_trials, root, args.only)
            if number == 0:
                print(f"| {' | '.join(cells)} |\n{'|---' * len(cells)}|")
            print(f"| {' | '.join(cells.values())} |", flush=True)
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
