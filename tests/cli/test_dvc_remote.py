"""Results on another machine: push, clone, pull, with DVC and git themselves and a folder as the remote."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import finetune_alf
from finetune_alf.json_files import read_jsonl
from tiny import save_tiny

pytest.importorskip("dvc")

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),  # twenty processes, each of which loads torch
    pytest.mark.skipif(shutil.which("git") is None, reason="no git"),
]

SMALLER = """
studies: {encoder: {n_trials: 4}}
register: {n_top: 2, n_seeds: 2}
transfer: {n_seeds: 2}
"""
AXES = ("trial", "validation loss", "share of importance", "log10 of the rate", "difference from the baseline")
"""An axis of each kind of plot."""

WORDS = {"good": ("good", "fine", "great", "lovely"), "bad": ("bad", "dull", "poor", "weak")}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of a project that `init` made and `dvc repro` ran, with all that was pushed."""
    root = tmp_path_factory.mktemp("dvc")
    project, store, copy = root / "project", root / "store", root / "clone"
    project.mkdir()
    save_tiny(project / "encoder")
    with (project / "reviews.csv").open("w", newline="") as file:
        rows = [(f"a {word} film, {n}", label) for n in range(20) for label in WORDS for word in WORDS[label]]
        csv.writer(file).writerows([("text", "label"), *rows])
    run(project, "finetune-alf", "init", "reviews.csv", "--encoder", "encoder")
    (project / "smaller.yaml").write_text(SMALLER)
    run(project, "finetune-alf", "params", "use", "smaller.yaml")
    git(project, "init", "--quiet")
    dvc(project, "init", "--quiet")
    dvc(project, "remote", "add", "--default", "store", str(store))
    dvc(project, "repro", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "Results")
    dvc(project, "push", "--quiet")
    git(root, "clone", "--quiet", str(project), str(copy))
    assert not (copy / "results").exists()
    dvc(copy, "pull", "--quiet")
    return copy


def test_what_was_pulled_is_what_the_stages_wrote(clone: Path) -> None:
    for kind in ("data/samples", "models", "results"):
        written = {path.relative_to(clone.parent / "project"): path for path in files(clone.parent / "project" / kind)}
        pulled = {path.relative_to(clone): path for path in files(clone / kind)}
        assert pulled.keys() == written.keys() != set()
        assert all(pulled[name].read_bytes() == written[name].read_bytes() for name in pulled)


def test_nothing_has_to_run_in_the_clone(clone: Path) -> None:
    assert "up to date" in dvc(clone, "status")
    assert "in sync" in dvc(clone, "status", "--cloud")
    assert "Running stage" not in dvc(clone, "repro")


def test_plots_and_metrics_are_shown_in_the_clone(clone: Path) -> None:
    dvc(clone, "plots", "show")
    page = (clone / "dvc_plots" / "index.html").read_text("utf-8")
    assert [title for title in AXES if f'"title": "{title}"' not in page] == []
    assert "results/summary/fit/encoder.json" in dvc(clone, "metrics", "show")


def test_an_experiment_with_fewer_trials_has_the_results_of_the_first_ones(clone: Path) -> None:
    project = clone.parent / "project"
    trials = project / "results" / "study" / "encoder" / "trials.jsonl"
    all_trials = read_jsonl(trials)
    dvc(project, "exp", "run", "--quiet", "--name", "fewer", "-S", "studies.encoder.n_trials=3", "study")
    assert read_jsonl(trials) == all_trials[:3]
    changes = json.loads(dvc(project, "metrics", "diff", "--json", "HEAD").splitlines()[0])
    assert changes["results/summary/study/encoder.json"]["trials"] == {
        "old": len(all_trials),
        "new": 3,
        "diff": 3 - len(all_trials),
    }
    shown = [row["Experiment"] for row in csv.DictReader(dvc(project, "exp", "show", "--csv").splitlines())]
    assert "fewer" in shown
    dvc(project, "plots", "diff", "HEAD")
    page = (project / "dvc_plots" / "index.html").read_text("utf-8")
    assert all(f'"rev": "{revision}"' in page for revision in ("workspace", "HEAD"))


def files(folder: Path) -> list[Path]:
    """All files of a folder but those that DVC and git keep for themselves."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore"]


def git(folder: Path, *arguments: str) -> str:
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    return run(folder, "git", *author, *arguments)


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder, with this package's own command first on the path, and return what it printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path(finetune_alf.__file__).parents[1])}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
