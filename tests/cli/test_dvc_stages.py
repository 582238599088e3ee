"""dvc.yaml: every stage for every name, run in order, each depending on what it reads and on no more."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dvc")

ROOT = Path(__file__).parents[2]

# Stands in for the real command: writes what each stage's outputs are called, at once.
STAND_IN = """#!/bin/sh
put() { mkdir -p "$(dirname "$1")"; echo '{"a": 1}' > "$1"; }
case $1 in
  prepare) put data/samples/$2/card.json ;;
  study) put results/study/$2/best.json; put results/study/$2/trials.jsonl ;;
  importance) put results/importance/$2.json; put results/importance/$2.png ;;
  register) put results/schedules/$2.json ;;
  transfer) for end in jsonl predictions.json json; do put results/transfer/$2/$3.$end; done ;;
  report) put results/report/report.md ;;
esac
echo "$(cat /proc/$PPID/comm): $*" >> log
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
    (root / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    for package in ("data", "report", "figures"):
        (root / "src" / "finetune_alf" / package).mkdir(parents=True)
        (root / "src" / "finetune_alf" / package / "code.py").touch()
    (root / "bin").mkdir()
    (root / "bin" / "finetune-alf").write_text(STAND_IN)
    (root / "bin" / "finetune-alf").chmod(0o755)
    repro(root)
    return root


def repro(root: Path) -> list[str]:
    """Run `dvc repro` and return the commands that it ran."""
    (root / "log").write_text("")
    path = f"{root / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--quiet"],
        cwd=root,
        env={**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.partition(": ")[2] for line in (root / "log").read_text().splitlines()]


def change(root: Path, was: str, now: str) -> list[str]:
    """Run again with one change in params.yaml, which is taken back."""
    path = root / "params.yaml"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, now, 1))
    try:
        return repro(root)
    finally:
        path.write_text(text)


def test_every_stage_runs_for_every_name(project: Path) -> None:
    samples = ("films", "restaurants", "gadgets", "travel")
    for out in (
        *(f"data/samples/{sample}" for sample in samples),
        *(f"results/transfer/minilm/{sample}.predictions.json" for sample in samples),
        "results/importance/minilm.png",
        "results/schedules/minilm.json",
        "results/report/report.md",
    ):
        assert (project / out).exists()


def test_with_nothing_changed_nothing_runs(project: Path) -> None:
    assert repro(project) == []


@pytest.mark.parametrize(
    ("was", "now", "ran"),
    [
        ("n_trials: 40", "n_trials: 41", ["study minilm"]),
        ("n_top: 3", "n_top: 4", ["register minilm"]),
        ("n_resamples: 30", "n_resamples: 31", ["importance minilm"]),
        ("title: Adaptive", "title: My adaptive", ["report"]),
        (
            "decay: 0.95",
            "decay: 0.9",
            [f"transfer minilm {name}" for name in ("films", "restaurants", "gadgets", "travel")],
        ),
        ("domain: travel", "domain: films", ["prepare travel"]),
    ],
)
def test_a_change_runs_only_what_reads_it(project: Path, was: str, now: str, ran: list[str]) -> None:
    # The stand-in writes the same outputs again, so that nothing further down has a reason to run.
    assert sorted(change(project, was, now)) == sorted(ran)


def test_a_stage_is_the_child_of_dvc_itself(project: Path) -> None:
    (project / "src" / "finetune_alf" / "report" / "code.py").write_text("1\n")
    assert repro(project) == ["report"]
    parent = (project / "log").read_text().partition(":")[0]
    assert parent not in ("sh", "bash", "dash")
