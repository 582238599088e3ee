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
import contextlib
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executors import PARAMS
from proposals import N_LAYERS, SPACE, observations

from finetune_alf.paths import Paths
from finetune_alf.rates import HEAD
from finetune_alf.study.databases import known_studies, study_database
from finetune_alf.study.records import TrialRecord, read_trials
from finetune_alf.study.sampler import StudySampler
from finetune_alf.study.spec import TpeSampler
from finetune_alf.study.store import open_store
from finetune_alf.study.trial_checksums import new_attributes, outcome_of

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


def plant_trials(database: Path, first: TrialRecord, n_trials: int) -> None:
    """Add finished trials with random rates to a study that has its first one."""
    with _quick(database) as connection:
        row = dict(connection.execute("SELECT * FROM trials").fetchone())
        distributions = dict(connection.execute("SELECT param_name, distribution_json FROM trial_params").fetchall())
        steps = [dict(step) for step in connection.execute("SELECT * FROM trial_intermediate_values").fetchall()]
        for table, rows in _trial_rows(first, n_trials, row, distributions, steps):
            _insert(connection, table, rows)


def _trial_rows(
    first: TrialRecord, n_trials: int, row: dict[str, Any], distributions: dict[str, str], steps: list[dict[str, Any]]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield tables and their rows, trial by trial."""
    draw, choices = random.Random(0), SPACE.distributions(N_LAYERS)  # noqa: S311 - a draw of rates
    for number in range(1, n_trials):
        params = {name: draw.choice(SPACE.rates) for name in distributions}
        rates = SPACE.layer_rates(params, N_LAYERS, first.rates[HEAD])
        record = first.model_copy(update={"number": number, "rates": rates, "score": draw.random()})
        key = {"trial_id": row["trial_id"] + number}
        attributes = {**new_attributes(rates, params), "outcome": outcome_of(record)}
        yield "trials", [{**row, **key, "number": number}]
        yield (
            "trial_params",
            [
                {
                    **key,
                    "param_name": name,
                    "param_value": choices[name].to_internal_repr(value),
                    "distribution_json": distributions[name],
                }
                for name, value in params.items()
            ],
        )
        yield (
            "trial_user_attributes",
            [{**key, "key": name, "value_json": json.dumps(value)} for name, value in attributes.items()],
        )
        yield "trial_values", [{**key, "objective": 0, "value": record.score, "value_type": "FINITE"}]
        yield (
            "trial_intermediate_values",
            [{name: value for name, value in {**step, **key}.items() if name != _STEP_ID} for step in steps],
        )


_STEP_ID = "trial_intermediate_value_id"


def plant_runs(database: Path, n_trials: int) -> None:
    """Copy the run of the first trial for each other one."""
    with _quick(database) as connection:
        (run,) = connection.execute("SELECT run_uuid FROM tags WHERE key = 'alf.trial' AND value = '0'").fetchone()
        rows = {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run,))]  # noqa: S608
            for table in ("runs", "tags", "params", "metrics", "latest_metrics")
        }
        for number in range(1, n_trials):
            own = uuid.UUID(int=number).hex
            for table, copied in rows.items():
                _insert(connection, table, [_of_run(row, own, number) for row in copied])


def _of_run(row: dict[str, Any], run: str, number: int) -> dict[str, Any]:
    """Return a row of the first trial's run as that of another trial's."""
    changed = {**row, "run_uuid": run}
    if row.get("key") == "alf.key":
        changed["value"] = f"{row['value'].rpartition('/')[0]}/{number}"
    if row.get("key") == "alf.trial":
        changed["value"] = str(number)
    return changed


@contextlib.contextmanager
def _quick(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database, and commit at the end, unsynced."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = OFF")
        yield connection
        connection.commit()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))  # noqa: S608


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
    with _quick(root / "mlruns/mlflow.db") as connection:
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
