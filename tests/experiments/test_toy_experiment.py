"""An experiment of another package, found by its entry point, does all that the package's own do."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finetune_alf.files import read_json, read_jsonl
from small_project import PARAMS as SMALL

TOY = Path(__file__).parent / "toy_package"
SOURCES = Path(__file__).parents[2] / "src"

PARAMS = (
    SMALL.partition("  travel:")[0]
    + """
batches:
  small:
    encoder: tiny
    sample: films
    recipe: {rates: {kind: uniform, rate: 1e-4}, batch: 8, epochs: 20, max_tokens: 16}
    batches: [4, 8, 16]
    n_seeds: 2
"""
)
CELLS = [(batch, seed) for batch in (4, 8, 16) for seed in (0, 1)]


def command(root: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command that finds the toy package as one that was installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *filter(None, sys.path)])}
    return subprocess.Popen(
        [sys.executable, "-m", "finetune_alf.cli", *words, "--root", str(root)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def output(root: Path, *words: str, code: int = 0) -> str:
    process = command(root, *words)
    out, err = process.communicate()
    assert process.returncode == code, err
    return err if code else out


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root: Path = tmp_path_factory.mktemp("toy")
    (root / "params.yaml").write_text(PARAMS)
    output(root, "prepare")
    return root


@pytest.fixture(scope="module")
def killed_and_resumed(root: Path) -> tuple[list[dict[str, object]], Path]:
    """Kill the experiment once its first cells are written, resume it by `run`, and return the cells written before."""
    cells = root / "results" / "batches" / "small.jsonl"
    process = command(root, "batches")
    while process.poll() is None and not (cells.exists() and cells.read_bytes().count(b"\n") >= 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not cells.with_suffix(".json").exists()
    before = read_jsonl(cells)
    assert "small: {'4'" in output(root, "run")
    return before, root


def test_nothing_in_the_package_names_it() -> None:
    assert not [file for file in SOURCES.rglob("*.py") if "alf_toy" in file.read_text("utf-8")]


def test_params_check_knows_its_section(root: Path, tmp_path: Path) -> None:
    assert "batches small" in output(root, "params", "check")
    faults = PARAMS.replace("sample: films\n    recipe", "sample: flims\n    recipe").replace("n_seeds: 2", "n_seed: 2")
    (tmp_path / "params.yaml").write_text(faults)
    found = output(tmp_path, "params", "check", code=3)
    assert "batches.small.sample" in found
    assert "batches.small.n_seed" in found


def test_its_fits_are_planned(root: Path) -> None:
    (planned,) = json.loads(output(root, "plan", "small", "--json"))
    assert (planned["section"], planned["stages"][0]["n_fits"]) == ("batches", len(CELLS))
    assert planned["seconds"] > 0


def test_a_killed_run_is_resumed_without_repeating_a_fit(
    killed_and_resumed: tuple[list[dict[str, object]], Path],
) -> None:
    before, root = killed_and_resumed
    cells = read_jsonl(root / "results" / "batches" / "small.jsonl")
    assert [(cell["batch"], cell["seed"]) for cell in cells] == CELLS
    assert all(cell in cells for cell in before)  # times of epochs included: not fitted again
    ledger = [line for line in (root / "studies" / "batches-small.jobs.jsonl").read_text().split("\n") if line]
    assert len(ledger) == len(CELLS)
    assert set(read_json(root / "results" / "batches" / "small.json")["scores"]) == {"4", "8", "16"}


def test_its_fits_are_nested_runs_in_mlflow(killed_and_resumed: tuple[list[dict[str, object]], Path]) -> None:
    import mlflow

    _, root = killed_and_resumed
    client = mlflow.MlflowClient(f"sqlite:///{root / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("finetune_alf.small")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if run.data.tags["alf.key"] == "small/batches/small"]
    nested = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.data.tags["alf.batch"] for run in nested) == sorted(str(batch) for batch, _ in CELLS)
    assert all("test.accuracy" in run.data.metrics for run in nested)


def test_the_report_has_its_part(killed_and_resumed: tuple[list[dict[str, object]], Path]) -> None:
    _, root = killed_and_resumed
    page = (root / "results" / "report" / "report.md").read_text("utf-8")
    assert "## Batches `small`" in page
    assert page.index("Batches `small`: 3 sizes.") < page.index("## Batches `small`")


def test_the_commands_list_it() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "finetune_alf.cli", "--help"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOY), *filter(None, sys.path)])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Compare sizes of batches." in process.stdout


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
