"""dvc.yaml with an encoder that is trained further: what fine-tunes it runs after it and again with it, no more."""

import contextlib
import os
import shutil
import warnings
from pathlib import Path
from unittest import mock

import pytest

pytest.importorskip("dvc")

ROOT = Path(__file__).parents[2]

# Stands in for the real command. An adapted encoder is its rate, and an encoder's card what its folder holds.
STAND_IN = """#!/bin/sh
mkdir -p results/$1 data/samples/$2
echo "$*" >> log
case $1 in
  prepare) echo 1 > data/samples/$2/card.json ;;
  adapt) mkdir -p data/encoders/$2; grep rate: params.yaml > data/encoders/$2/model.safetensors
         echo 1 > results/adapt/$2.json; touch results/adapt/$2.jsonl ;;
  encoder) case $2 in further) cat data/encoders/more/* ;; *) echo 1 ;; esac > results/encoder/$2.json ;;
  study) mkdir -p results/study/$2; for end in best.json trials.jsonl study.json; do
         echo 1 > results/study/$2/$end; done
         for folder in summary/study plots/history plots/curves; do mkdir -p results/$folder
         echo 1 > results/$folder/$2.json; done ;;
esac
"""

PARAMS = """
compute: {device: auto}
project: x
tracking: {experiment: x}
encoders: {plain: {kind: random}, further: {kind: adapted, adapt: more}}
samples: {films: {n_train: 1}}
studies:
  one: {encoder: plain, sample: films}
  two: {encoder: further, sample: films}
importance: {n: 1}
register: {n: 1}
transfer: {studies: [], samples: [], schemes: [], n_seeds: 1, seed: 1}
freeze: {}
schemes: {}
multitask: {}
budget: {}
labels: {}
forgetting: {}
decay: {}
fit: {}
adapt:
  more:
    encoder: plain
    sample: films
    rate: 1
report: {title: x}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", ".dvcignore", "data/encoders/.gitignore"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (root / "params.yaml").write_text(PARAMS)
    (root / "src" / "finetune_alf" / "data").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "finetune-alf").write_text(STAND_IN)
    (root / "bin" / "finetune-alf").chmod(0o755)
    return root


def repro(root: Path) -> list[str]:
    """Bring studies and what they rest on up to date as `dvc repro` does, and return the commands that ran."""
    from dvc.repo import Repo

    (root / "log").write_text("")
    path = f"{root / 'bin'}:{os.environ['PATH']}"
    with contextlib.chdir(root), mock.patch.dict(os.environ, {"PATH": path}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DVC's own
        with Repo() as repo:
            repo.reproduce(["study"])
    return (root / "log").read_text().splitlines()


def test_an_adapted_encoder_is_made_before_what_uses_it_and_only_that_runs_again_with_it(project: Path) -> None:
    first = repro(project)
    assert sorted(first) == [
        "adapt more",
        "encoder further",
        "encoder plain",
        "prepare films",
        "study one",
        "study two",
    ]
    assert first.index("prepare films") < first.index("adapt more") < first.index("encoder further")
    assert first.index("encoder further") < first.index("study two")
    assert repro(project) == []
    path = project / "params.yaml"
    path.write_text(PARAMS.replace("rate: 1", "rate: 2"))
    again = repro(project)
    assert again[0] == "adapt more"
    assert sorted(again) == ["adapt more", "encoder further", "encoder plain", "study two"]
    dropped = PARAMS.replace("further: {kind: adapted, adapt: more}", "").replace(
        "two: {encoder: further,", "two: {encoder: plain,"
    )
    path.write_text(f"{dropped.partition('adapt:')[0]}adapt: {{}}\nreport: {{title: x}}\n")
    assert "encoder plain" in repro(project)  # which moves what was trained for a removed entry out of its dependency
