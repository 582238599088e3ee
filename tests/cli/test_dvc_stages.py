"""dvc.yaml: every stage for every name, run in order, each depending on what it reads and on no more."""

import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from ruamel.yaml import YAML

from finetune_alf.experiments.registry import model_of
from finetune_alf.params.writing import use_presets

pytest.importorskip("dvc")

ROOT = Path(__file__).parents[2]

# Stands in for the real command: writes what each stage's outputs are called, at once.
STAND_IN = """#!/bin/sh
put() { mkdir -p "$(dirname "$1")"; echo '{"a": 1}' > "$1"; }
case $1 in
  prepare) put data/samples/$2/card.json ;;
  encoder) put results/encoder/$2.json ;;
  study) for file in best.json trials.jsonl study.json; do put results/study/$2/$file; done
         for file in summary/study plots/history plots/curves; do put results/$file/$2.json; done ;;
  importance) put results/importance/$2.png
              for folder in importance plots/importance; do put results/$folder/$2.json; done ;;
  register) put results/artifacts/$2/alf-1.json; put results/artifacts/$2/alf-2.json
            for folder in schedules summary/register plots/schedules; do put results/$folder/$2.json; done ;;
  transfer) for end in jsonl predictions.json json; do put results/transfer/$2/$3.$end; done
            for folder in summary plots; do put results/$folder/transfer/$2/$3.json; done ;;
  freeze) put results/freeze/$2.jsonl; put results/freeze/$2.json ;;
  schemes) put results/schemes/$2.jsonl; put results/schemes/$2.json ;;
  labels) put results/labels/$2.jsonl; put results/labels/$2.json ;;
  forgetting) put results/forgetting/$2.jsonl; put results/forgetting/$2.json ;;
  decay) put results/decay/$2.jsonl; put results/decay/$2.json ;;
  fit) put models/$3/classifier.json; put results/fit/$3.jsonl
       for folder in fit summary/fit; do put results/$folder/$3.json; done ;;
  multitask) put results/multitask/$2.jsonl; put results/multitask/$2.json ;;
  report) put results/report/report.md ;;
esac
echo "$(cat /proc/$PPID/comm): $*" >> log
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = new_project(tmp_path_factory.mktemp("parent") / "project")
    repro(root)
    return root


def new_project(root: Path) -> Path:
    """Make a project whose commands only write what the real ones' outputs are called."""
    root.mkdir()
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    (root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
    (root / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    (root / "data" / "encoders").mkdir(parents=True)
    for folder in ROOT.glob("results/*/.gitignore"):  # of the tree, so that each stage's folder is there
        (root / "results" / folder.parent.name).mkdir(parents=True)
        (root / "results" / folder.parent.name / ".gitignore").touch()
    for package in ("data", "experiments", "report", "figures"):
        (root / "src" / "finetune_alf" / package).mkdir(parents=True)
        (root / "src" / "finetune_alf" / package / "code.py").touch()
    (root / "docs" / "results").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "finetune-alf").write_text(STAND_IN)
    (root / "bin" / "finetune-alf").chmod(0o755)
    return root


def repro(root: Path) -> list[str]:
    """Bring the project up to date as `dvc repro` does, and return the commands that it ran."""
    from dvc.repo import Repo

    (root / "log").write_text("")
    path = f"{root / 'bin'}:{os.environ['PATH']}"
    with contextlib.chdir(root), mock.patch.dict(os.environ, {"PATH": path}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DVC's own
        with Repo() as repo:
            repo.reproduce()
    return [line.partition(": ")[2] for line in (root / "log").read_text().splitlines()]


def changed(root: Path) -> set[str]:
    """Return the stages that `dvc status` calls changed: the stand-in writes equal outputs, so no others would run."""
    from dvc.repo import Repo

    with contextlib.chdir(root), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DVC's own
        with Repo() as repo:
            return set(repo.status())


@contextlib.contextmanager
def change(root: Path, was: str, now: str) -> Iterator[None]:
    """Change params.yaml for a while."""
    path = root / "params.yaml"
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, now, 1))
    try:
        yield
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
    ("was", "now", "stages"),
    [
        ("n_trials: 16", "n_trials: 41", {"report", "study@minilm"}),
        ("n_top: 3", "n_top: 4", {"register@minilm"}),
        ("n_resamples: 100", "n_resamples: 101", {"importance@minilm"}),
        ("title: Adaptive", "title: My adaptive", {"report"}),
        (
            "uniform, probe]",
            "{kind: decayed, factor: 0.9}, probe]",
            {"report", *(f"transfer@minilm-{name}" for name in ("films", "restaurants", "gadgets", "travel"))},
        ),
        ("domain: travel", "domain: films", {"prepare@travel"}),
        ("samples: [films, restaurants, gadgets, travel]", "samples: [films]", {"report"}),
    ],
)
def test_a_change_concerns_only_what_reads_it(project: Path, was: str, now: str, stages: set[str]) -> None:
    # The report reads which studies and experiments there are.
    with change(project, was, now):
        assert changed(project) == stages


FREEZE = """freeze:
  tiny:
    encoder: minilm
    samples: [films]
"""


def test_a_sweep_runs_after_its_samples_and_before_the_report(project: Path) -> None:
    with change(project, "freeze: {}\n", FREEZE):
        assert repro(project) == ["freeze tiny", "report"]


def test_a_testbed_of_schemes_does_too_and_after_the_schedules_that_it_may_name(project: Path) -> None:
    with change(project, "schemes: {}\n", FREEZE.replace("freeze", "schemes")):
        assert repro(project) == ["schemes tiny", "report"]
    lock = YAML(typ="safe").load(project / "dvc.lock")
    assert {"results/schedules", "data/samples"} <= {dep["path"] for dep in lock["stages"]["schemes@tiny"]["deps"]}


MULTITASK = """multitask:
  tiny:
    encoder: minilm
    sample: films
"""


def test_a_multi_task_experiment_runs_before_the_report(project: Path) -> None:
    with change(project, "multitask: {}\n", MULTITASK):
        assert repro(project) == ["multitask tiny", "report"]


def test_metrics_and_plots_are_few_and_schedules_are_artifacts(project: Path) -> None:
    from dvc.repo import Repo

    with contextlib.chdir(project), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Repo() as repo:
            metrics = [Path(out.fs_path).relative_to(project).as_posix() for out in repo.index.metrics]
            plots = {Path(out.fs_path).relative_to(project): out.plot for out in repo.index.plots}
            (artifacts,) = repo.artifacts.read().values()
    assert sorted(metrics) == [
        "results/summary/register/minilm.json",
        "results/summary/study/minilm.json",
        *(f"results/summary/transfer/minilm/{name}.json" for name in ("films", "gadgets", "restaurants", "travel")),
    ]
    assert {path.parts[2] for path in plots} == {"history", "curves", "importance", "schedules", "transfer"}
    assert all((ROOT / plot["template"]).exists() for plot in plots.values())
    assert sorted(artifacts) == ["minilm-alf-1", "minilm-alf-2"]
    assert all((project / artifact.path).exists() for artifact in artifacts.values())


def test_without_a_study_the_report_is_made_of_what_there_is(tmp_path: Path) -> None:
    root = new_project(tmp_path / "without")
    (root / "over.yaml").write_text("studies: {minilm: ~}\ntransfer: {studies: [], samples: []}\n")
    use_presets(root / "params.yaml", [str(root / "over.yaml")], model=model_of())
    ran = repro(root)
    assert ran[-1] == "report"
    assert {command.split()[0] for command in ran}.isdisjoint({"study", "importance", "register", "transfer"})


def test_a_stage_is_the_child_of_dvc_itself(project: Path) -> None:
    (project / "src" / "finetune_alf" / "report" / "code.py").write_text("1\n")
    assert repro(project) == ["report"]
    parent = (project / "log").read_text().partition(":")[0]
    assert parent not in ("sh", "bash", "dash")
