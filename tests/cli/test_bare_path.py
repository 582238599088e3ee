"""From a table to labels where neither git nor DVC is on the path."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import finetune_alf
from tiny import save_tiny

SMALLER = """
studies: {encoder: {n_trials: 4}}
register: {n_top: 2, n_seeds: 2}
transfer: {n_seeds: 2}
"""
WORDS = {"good": ("good", "fine", "great", "lovely"), "bad": ("bad", "dull", "poor", "weak")}


@pytest.mark.long
@pytest.mark.timeout(1800)  # each command loads torch
def test_init_run_fit_and_predict_need_neither_git_nor_dvc(tmp_path: Path) -> None:
    project, path = tmp_path / "project", tmp_path / "bin"
    project.mkdir()
    path.mkdir()
    (path / "python").symlink_to(sys.executable)
    assert [name for name in ("git", "dvc", "finetune-alf", "sh") if shutil.which(name, path=str(path))] == []
    environment = {**os.environ, "PATH": str(path), "PYTHONPATH": str(Path(finetune_alf.__file__).parents[1])}
    environment.pop("MLFLOW_TRACKING_URI", None)

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "finetune_alf.cli", *words],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    save_tiny(project / "encoder")
    rows = [(f"a {word} film, {n}", label) for n in range(20) for label in WORDS for word in WORDS[label]]
    with (project / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    run("init", "reviews.csv", "--encoder", "encoder")
    (project / "smaller.yaml").write_text(SMALLER)
    run("params", "use", "smaller.yaml")
    told = run("run") + run("fit", "baseline")
    assert "Traceback" not in told
    assert "git" not in told
    [model] = (project / "models").glob("*.baseline")
    run("predict", str(model), "reviews.csv", "--out", "labelled.csv")
    with (project / "labelled.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
