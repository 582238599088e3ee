"""An experiment of another package, found by its entry point, does all that the package's own do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from finetune_alf.json_files import read_json, read_jsonl
from small_project import PARAMS as SMALL

pytestmark = pytest.mark.long  # every stage, in processes that find the package

TOY = Path(__file__).parent / "toy_package"
SOURCES = Path(__file__).parents[2] / "src"

PARAMS = (
    SMALL.partition("  travel:")[0]
    + """
batches:
  small:
    encoder: tiny
    sample: films
    recipe: {rates: {kind: uniform, rate: 1e-4}, batch: 8, epochs: 8, max_tokens: 16}
    batches: [4, 8]
    n_seeds: 2
"""
)
CELLS = [(batch, seed) for batch in (4, 8) for seed in (0, 1)]

COMMANDS = """
import json, sys
from click.testing import CliRunner
from finetune_alf.cli.entry import group
from finetune_alf.planning import probe
probe.N_ROUNDS, probe.PATIENCE_S = 2, 0.0  # a plan need not be right here
told = [CliRunner().invoke(group, words) for words in json.loads(sys.argv[1])]
print(json.dumps([[one.exit_code, one.stdout, one.stderr] for one in told]))
"""


@dataclass(frozen=True)
class Told:
    """What a command told."""

    exit_code: int
    stdout: str
    stderr: str


def start(*commands: list[str]) -> subprocess.Popen[str]:
    """Start one process for several commands, which finds the toy package as one that was installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *filter(None, sys.path)])}
    return subprocess.Popen(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    root = tmp_path_factory.mktemp("parent") / "toy"
    shutil.copytree(empty_store, root)
    (root / "params.yaml").write_text(PARAMS)
    return root


@pytest.fixture(scope="module")
def before(root: Path) -> list[dict[str, object]]:
    """Kill the experiment once its first cell is written, and return the cells written before."""
    cells = root / "results" / "batches" / "small.jsonl"
    process = start(["prepare", "--root", str(root)], ["batches", "--root", str(root)])
    while process.poll() is None and not (cells.exists() and cells.read_bytes().count(b"\n") >= 1):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not cells.with_suffix(".json").exists()
    return read_jsonl(cells, is_whole=False)


@pytest.fixture(scope="module")
def told(root: Path, before: object, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """Resume the experiment by `run`; what this and further commands told."""
    faulty = tmp_path_factory.mktemp("faulty")
    faults = PARAMS.replace("sample: films\n    recipe", "sample: flims\n    recipe").replace("n_seeds: 2", "n_seed: 2")
    (faulty / "params.yaml").write_text(faults)
    commands = {
        "run": ["run", "--root", str(root)],
        "check": ["params", "check", "--root", str(root)],
        "check of faults": ["params", "check", "--root", str(faulty)],
        "plan": ["plan", "small", "--json", "--root", str(root)],
        "help": ["--help"],
    }
    out, err = start(*commands.values()).communicate()
    assert out, err
    return {name: Told(*one) for name, one in zip(commands, json.loads(out.splitlines()[-1]), strict=True)}


def test_nothing_in_the_package_names_it() -> None:
    assert not [file for file in SOURCES.rglob("*.py") if "alf_toy" in file.read_text("utf-8")]


def test_params_check_knows_its_section(told: dict[str, Told]) -> None:
    assert "batches small" in told["check"].stdout
    faults = told["check of faults"]
    assert faults.exit_code == 3
    assert "batches.small.sample" in faults.stderr
    assert "batches.small.n_seed" in faults.stderr


def test_its_fits_are_planned(told: dict[str, Told]) -> None:
    (planned,) = json.loads(told["plan"].stdout)["plans"]
    assert (planned["section"], planned["stages"][0]["n_fits"]) == ("batches", len(CELLS))
    assert planned["seconds"] > 0


def test_a_killed_run_is_resumed_without_repeating_a_fit(
    before: list[dict[str, object]], told: dict[str, Told], root: Path
) -> None:
    assert told["run"].exit_code == 0
    assert "small: {'4'" in told["run"].stdout + told["run"].stderr
    cells = read_jsonl(root / "results" / "batches" / "small.jsonl")
    assert [(cell["batch"], cell["seed"]) for cell in cells] == CELLS
    assert all(cell in cells for cell in before)  # times of epochs included: not fitted again
    ledger = [line for line in (root / "studies" / "batches-small.jobs.jsonl").read_text().split("\n") if line]
    assert len(ledger) == len(CELLS)
    assert set(read_json(root / "results" / "batches" / "small.json")["scores"]) == {"4", "8"}


def test_its_fits_are_nested_runs_in_mlflow(told: dict[str, Told], root: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("finetune_alf.small")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["alf.key"] == "small/batches/small"]
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.data.tags["alf.batch"] for run in nested) == sorted(str(batch) for batch, _ in CELLS)
    assert all("score/test.accuracy" in run.data.metrics for run in nested)


def test_the_report_has_its_part(told: dict[str, Told], root: Path) -> None:
    page = (root / "results" / "report" / "report.md").read_text("utf-8")
    assert "## Batches `small`" in page
    assert page.index("Batches `small`: 2 sizes.") < page.index("## Batches `small`")


def test_the_commands_list_it(told: dict[str, Told]) -> None:
    assert "Compare sizes of batches." in told["help"].stdout


def test_an_entry_point_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[finetune_alf.experiments]\nlost = no_such_module:LOST\n")
    process = subprocess.run(
        [sys.executable, "-m", "finetune_alf.cli", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, "Traceback" in process.stderr) == (3, False)
    assert "lost = no_such_module:LOST" in process.stderr
