"""A whole run in a terminal of 80 columns, and a fit whose output is a file: what a user sees, and in which order."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.json_files import read_json
from fit_project import PROJECT
from terminal import N_COLUMNS, in_terminal
from tiny import save_tiny

pytestmark = pytest.mark.long

N_TRIALS, N_EPOCHS = 3, 4
PARAMS = (
    PROJECT.replace("n_trials: 12", f"n_trials: {N_TRIALS}")
    .replace("samples: [films, travel]", "samples: [films]")
    .replace("n_seeds: 2", "n_seeds: 1")
)


def command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "finetune_alf.cli", *words, "--root", str(root)]


@pytest.fixture(scope="module")
def root(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("terminal") / "mine"
    shutil.copytree(empty_store, root)
    save_tiny(root / "encoder")
    entry = {"scheme": "baseline", "seed": 1}
    (root / "params.yaml").write_text(f"{PARAMS}\nfit:\n  tiny: {json.dumps(entry)}\n")
    return root


@pytest.fixture(scope="module")
def shown(root: Path) -> str:
    """What a run writes to a terminal."""
    return in_terminal(command(Path(root.name), "run"), root.parent)


def frames(shown: str, label: str) -> list[str]:
    """Return the bars of this label in the order in which they were drawn."""
    return [frame.strip() for frame in re.split(r"[\r\n]", shown) if re.match(rf"{label}: +\d+%", frame)]


def test_the_first_line_and_the_stages_come_before_anything_else(shown: str) -> None:
    first, *lines = shown.split("\n")
    assert first == "reading mine/params.yaml"
    assert lines[lines.index("Stages:") + 1 :][:5] == [
        "  prepare films",
        f"  study tiny ({N_TRIALS} trials), importance, register",
        "  transfer tiny on films",
        "  fit tiny",
        "  report",
    ]


def test_no_line_and_no_bar_is_wider_than_the_terminal(shown: str) -> None:
    assert max(len(frame.rstrip()) for frame in re.split(r"[\r\n]", shown)) <= N_COLUMNS


def test_a_bar_moves_within_the_first_fit_and_never_back(shown: str) -> None:
    bars = frames(shown, "study tiny")
    within = [bar for bar in bars if f"0/{N_TRIALS} in" in bar and "epochs" in bar]
    assert within  # an epoch of the first trial, before any trial has ended
    shares = [int(re.search(r"(\d+)%", bar)[1]) for bar in bars]  # type: ignore[index]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 100)
    counts = [int(re.search(r" (\d+)/3 in", bar)[1]) for bar in bars]  # type: ignore[index]
    assert counts == sorted(counts)
    assert counts[-1] == N_TRIALS


def test_a_bar_has_the_time_left_and_that_of_a_search_the_best_score(shown: str) -> None:
    for label in ("study tiny", "single rate tiny", "confirm tiny"):
        assert re.search(r"\d\d:\d\d left", "".join(frames(shown, label))), label
    for label, is_search in (
        ("study tiny", True),
        ("single rate tiny", True),
        ("confirm tiny", False),
        ("transfer tiny films", False),
    ):
        assert bool(re.search(r"best (\.\d{3}|1\.000)", frames(shown, label)[-1])) == is_search, label


def test_a_fit_has_a_bar_over_its_epochs(shown: str) -> None:
    bars = frames(shown, "fit tiny")
    epochs = [int(found[1]) for bar in bars if (found := re.search(rf"(\d)/{N_EPOCHS} epochs", bar))]
    assert epochs
    assert epochs == sorted(epochs)
    assert bars[-1].startswith("fit tiny: 100%")


def test_each_line_begins_on_a_line_of_its_own(shown: str) -> None:
    lines = [line.split("\r")[-1] for line in shown.split("\n")]
    opening = f"study tiny: {N_TRIALS} trials on 32 texts of films, {N_EPOCHS} epochs each"
    assert lines[lines.index(opening) + 1] == "study tiny: loading PyTorch, MLflow and the encoder"
    assert f"fit tiny: baseline on 32 texts of films, {N_EPOCHS} epochs" in lines
    found = [line for line in lines if line.startswith(f"tiny: {N_TRIALS} trials, the best")]
    assert len(found) == 2
    assert re.match(r"tiny: 3 trials, the best is trial \d(, plain fine-tuning,)? with accuracy \.\d{3}", found[0])
    for stage in (
        ("register tiny: opening MLflow's store",),
        ("fit tiny: loading PyTorch and the encoder", "fit tiny: opening MLflow's store"),
        ("fit tiny: registering models/tiny in MLflow",),
        ("report: draws tables and figures", "report: reading the results", "report: drawing the pages"),
        ("report: copying the pages to MLflow",),
    ):
        at = lines.index(stage[0])
        assert tuple(lines[at : at + len(stage)]) == stage


def test_one_table_stands_at_the_end(shown: str) -> None:
    _, _, after = shown.partition("report.html\n")
    assert after.count("against plain fine-tuning") == 1
    assert after.rstrip().split("\n")[-1].startswith("Done in ")
    assert "\r" not in after


def test_without_a_terminal_a_fit_says_at_once_what_it_does_and_draws_no_bar(shown: str, root: Path) -> None:
    done = subprocess.run(
        command(root, "fit", "baseline", "--study", "tiny"), capture_output=True, text=True, timeout=300, check=True
    )
    first, *_, last = done.stdout.splitlines()
    assert first == f"fit tiny: baseline on 32 texts of films, {N_EPOCHS} epochs"
    assert "models/tiny.baseline: baseline, test accuracy" in last
    assert "\r" not in done.stdout + done.stderr
    assert "%|" not in done.stderr


def documents(root: Path, *words: str) -> Any:
    """Return the document of a command with --json, which succeeds."""
    told = CliRunner().invoke(group, [*words, "--json", "--root", str(root)])
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("encoder tiny", "results/encoder/tiny.json"),
        ("study tiny", "results/study/tiny/study.json"),
        ("importance tiny", "results/importance/tiny.json"),
        ("register tiny", "results/schedules/tiny.json"),
        ("transfer tiny films", "results/transfer/tiny/films.json"),
        ("fit", "results/fit/tiny.json"),
    ],
)
def test_a_stage_prints_the_document_that_it_wrote(shown: str, root: Path, words: str, path: str) -> None:
    (found,) = documents(root, *words.split())
    assert found["path"] == str(root / path)
    assert found["document"] == read_json(root / path)


def test_an_experiment_without_entries_prints_an_empty_list(shown: str, root: Path) -> None:
    assert documents(root, "freeze") == []


def test_a_run_prints_its_summary_and_a_report_its_page(shown: str, root: Path) -> None:
    assert documents(root, "report") == {"report": str(root / "results/report/report.html")}
    assert documents(root, "sync") == {"left": []}
    summary = documents(root, "run")
    assert [(one["study"], one["n_trials"]) for one in summary["studies"]] == [("tiny", N_TRIALS)]


def test_a_fit_by_a_scheme_prints_its_own_document(shown: str, root: Path) -> None:
    (found,) = documents(root, "fit", "probe", "--study", "tiny")
    assert (found["document"]["scheme"], found["document"]["folder"]) == ("probe", "models/tiny.probe")


def test_what_a_classifier_says_and_gets_wrong_is_counted(shown: str, root: Path) -> None:
    (root / "new.csv").write_text('text\na film\n""\n')
    out = root / "labelled.csv"
    found = documents(root, "predict", "tiny", str(root / "new.csv"), "--text", "text", "--out", str(out))
    assert (found["path"], found["rows"], found["without_text"], found["label"]) == (str(out), 2, 1, "label")
    assert found["columns"] == out.read_text().splitlines()[0].split(",")
    assert documents(root, "errors", "tiny")["confusion"]["n_texts"] == 40


def test_the_addresses_of_an_encoder_are_listed(shown: str, root: Path) -> None:
    found = documents(root, "anatomy", "tiny")
    assert [one["address"] for one in found["addresses"]] == ["embeddings", "layer.0", "layer.1", "layer.2", "head"]
    assert all(one["n_parameters"] > 0 and one["rate"] == 0.01 for one in found["addresses"])
