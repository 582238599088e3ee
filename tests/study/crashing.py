"""End a process at a named place, start it again, and write down what came out: `crashing.main()` in `python -c`.

Its arguments are a folder and points. It imports once and forks a child for each start. A point is `name:nth`, or the
name of a scenario, which is not interrupted. Each prints a line of JSON: the exit codes of its starts, and the outcome.
"""

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_studies import ENCODER, ENVIRONMENT, FakeFit, study, study_spec

from finetune_alf import folders
from finetune_alf.crashpoint import CRASH_AT
from finetune_alf.execute import SerialExecutor
from finetune_alf.folders import replace_folder
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.jobs.run_jobs import run_jobs
from finetune_alf.json_files import lines_of
from finetune_alf.running.parent_run import open_tracker, parent_run
from finetune_alf.schedules.published import published
from finetune_alf.schedules.registry import Registry
from finetune_alf.study.databases.sqlite import SqliteDatabase, check_database
from finetune_alf.study.records import read_trials
from finetune_alf.study.store import closing_store
from finetune_alf.tracking.store import tracking_uri
from small_project import small_context

SCENARIO_OF = {
    "trial-insert-before": "study",
    "trial-insert-after": "study",
    "attempt-after": "study",
    "epoch": "study",
    "trial-complete-before": "study",
    "trial-complete-after": "study",
    "file-rename-before": "study",
    "file-rename-after": "study",
    "ledger-line-before": "ledger",
    "ledger-line-after": "ledger",
    "folder-replace-before": "folder",
    "folder-replace-after": "folder",
    "folder-taken-away": "folder without exchange",
    "upload-before": "registry",
    "upload-after": "registry",
    "version-before": "registry",
    "version-after": "registry",
    "parent-end-before": "registry",
    "parent-end-after": "registry",
}
"""The scenario that comes by each place."""

RECIPE = study_spec().recipe
JOBS = [
    FitJob(f"cell-{seed}", RECIPE.with_rates(RECIPE.rates.at(3)), ENCODER, "5a" * 32, seed, "fp32") for seed in range(4)
]


@dataclass(frozen=True)
class Fit:
    """A FakeFit that notes each start of a fit."""

    log: Path

    def __call__(self, job: Any, report: Any) -> Any:
        note(self.log, f"fit {job.key.rpartition('/')[2]}")
        return replace_time(FakeFit()(job, report))


def replace_time(result: Any) -> Any:
    return result.model_copy(update={"started_ms": 0})


def note(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"{text}\n")


def fitted_again(log: Path) -> list[str]:
    """Return what was fitted again although it had been acknowledged."""
    lines = log.read_text().splitlines()
    done = {line.partition(" ")[2]: n for n, line in reversed([*enumerate(lines)]) if line.startswith("done ")}
    return [line for n, line in enumerate(lines) if line.startswith("fit ") and n > done.get(line[4:], len(lines))]


def left_over(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob(".*") if path.suffix != ".lock")


def run_study_scenario(root: Path) -> None:
    log = root / "log"
    spec = study_spec(n_trials=5, sampler="tpe", enqueue=["baseline"])
    study(root, spec, Fit(log), on_trial=lambda record: note(log, f"done {record.number}"))


def study_outcome(root: Path) -> dict[str, Any]:
    (database,) = (root / "studies").glob("*.db")
    with closing_store(SqliteDatabase(database.parent, "small", check_database(database))) as store:
        kept, pending = store.finished_trials(), store.pending_trials()
    written = read_trials(root / "results" / "study" / "small" / "trials.jsonl")
    trials = [[each.number, each.state, dict(each.rates), each.score] for each in kept]
    return {"trials": trials, "pending": len(pending), "same": written == kept, "again": fitted_again(root / "log")}


def run_ledger_scenario(root: Path) -> None:
    log = root / "log"
    ledger = Ledger(root / "stage.jobs.jsonl")
    run_jobs(JOBS, SerialExecutor(), Fit(log), ledger, ENVIRONMENT, lambda job, _: note(log, f"done {job.key}"))


def ledger_outcome(root: Path) -> dict[str, Any]:
    path = root / "stage.jobs.jsonl"
    ledger, lines = Ledger(path), [json.loads(line)["job"] for line in lines_of(path.read_bytes()) if line]
    found = [ledger.find(job) for job in JOBS]
    return {
        "scores": [result and result.score for result in found],
        "twice": len(lines) - len(set(lines)),
        "attempts": path.with_suffix(".attempts.json").exists(),
        "again": fitted_again(root / "log"),
    }


def run_folder_scenario(root: Path) -> None:
    for text in ("first", "second", "third"):
        with replace_folder(root / "films") as new:
            (new / "file").write_text(text)


def run_folder_scenario_without_exchange(root: Path) -> None:
    folders._exchange = lambda one, other: False
    run_folder_scenario(root)


def folder_outcome(root: Path) -> dict[str, Any]:
    return {"text": (root / "films" / "file").read_text(), "all": sorted(path.name for path in root.iterdir())}


def run_registry_scenario(root: Path) -> None:
    ctx = small_context(root)
    with parent_run(ctx, "register/tiny", "register tiny", {}, needs_store=True) as runs:
        runs.metrics["score/x"] = 0.5
        registry, schedule = Registry(tracking_uri(root)), published("distilbert-alf-2")
        registry.register("alf-small.tiny", schedule, "alf-1", runs.parent_id)
        registry.register("alf-small.tiny", schedule.model_copy(update={"name": "other"}), "alf-2", runs.parent_id)


def registry_outcome(root: Path) -> dict[str, Any]:
    tracker = open_tracker(small_context(root))
    runs = tracker.client.search_runs([tracker.experiment_id])
    return {
        "versions": [[each.version, each.aliases, each.problem] for each in Registry(tracker.uri).list()],
        "runs": [run.info.status for run in runs],
        "points": [len(tracker.client.get_metric_history(run.info.run_id, "score/x")) for run in runs],
    }


@dataclass(frozen=True)
class Scenario:
    """What a start does, and what has come out of all starts."""

    run: Callable[[Path], None]
    outcome: Callable[[Path], dict[str, Any]]


SCENARIOS = {
    "study": Scenario(run_study_scenario, study_outcome),
    "ledger": Scenario(run_ledger_scenario, ledger_outcome),
    "folder": Scenario(run_folder_scenario, folder_outcome),
    "folder without exchange": Scenario(run_folder_scenario_without_exchange, folder_outcome),
    "registry": Scenario(run_registry_scenario, registry_outcome),
}


def main() -> None:
    root, *points = sys.argv[1:]
    template = Path(root) / "template"
    needs_store = any(SCENARIO_OF.get(point.partition(":")[0], point) == "registry" for point in points)
    if needs_store:
        in_child(lambda: open_tracker(small_context(template)))
    for number, point in enumerate(points):
        scenario = SCENARIOS[SCENARIO_OF.get(point.partition(":")[0], point)]
        own = Path(root) / str(number)
        if scenario.run is run_registry_scenario:
            shutil.copytree(template, own)
        own.mkdir(exist_ok=True)
        crashed = in_child(lambda own=own, scenario=scenario: scenario.run(own), point if ":" in point else None)
        repeated = in_child(lambda own=own, scenario=scenario: finish(scenario, own))
        outcome = json.loads((own / "outcome").read_text()) if (own / "outcome").exists() else None
        print(json.dumps({"point": point, "exit_codes": [crashed, repeated], "outcome": outcome}), flush=True)


def finish(scenario: Scenario, root: Path) -> None:
    scenario.run(root)
    outcome = {**scenario.outcome(root), "left_over": left_over(root)}
    (root / "outcome").write_text(json.dumps(outcome))


def in_child(act: Callable[[], object], crash_at: str | None = None) -> int:
    """Run in a forked child, which ends at a place if one is given; return its exit code."""
    child = os.fork()
    if child == 0:
        if crash_at is not None:
            os.environ[CRASH_AT] = crash_at
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
