"""A run with nothing to do draws samples, and loads neither torch nor MLflow; anything that changed runs all stages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finetune_alf.experiments.freeze.experiment import FreezeExperiment
from finetune_alf.experiments.registry import BUILT_IN
from finetune_alf.experiments.run_all import run_all
from finetune_alf.experiments.unchanged import RECORD, is_unchanged, record_run
from finetune_alf.running.prepare import prepare_all
from finetune_alf.schedules.published import published
from small_project import PARAMS, changed_params, context_of

FILES = (
    "encoder/config.json",
    "encoder/model.safetensors",
    "kept/freeze/tiny.json",
    "mlruns/artifacts/1/2/schedule.json",
    "mlruns/mlflow.db",
    "models/tiny/classifier.json",
    "results/study/tiny/trials.jsonl",
    "schedule.json",
    "studies/register-tiny.jobs.jsonl",
    "studies/tiny-12345678.db",
)
SCHEMES = "[feature_extraction, baseline, alf-1, alf-2, decayed]"
CHANGES = {
    "encoders:\n": "report: {kept: kept}\nencoders:\n  own: {kind: folder, path: encoder}\n",
    SCHEMES: "[baseline, {kind: schedule, of: schedule.json}]",
}


def run(root: Path) -> list[str]:
    """Run all stages of a project, as functions that do nothing but keep their names."""
    stages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finetune_alf.experiments.run_all.run_stage", lambda ctx, stage, *_, **__: stages.append(stage))
        patch.setattr("finetune_alf.experiments.experiment.NamedExperiment.run", lambda *_: None)
        run_all(context_of(root), BUILT_IN)
    return stages


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as its last whole run has left it."""
    (tmp_path / "params.yaml").write_text(changed_params(CHANGES))
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "schedule.json").write_text(published("distilbert-alf-1").stretch(2).to_json())
    assert run(tmp_path) == ["study", "importance", "register", "report"]
    return tmp_path


def test_a_run_after_a_whole_one_runs_no_stage_but_the_drawing_of_samples(project: Path) -> None:
    (project / "data/samples/films/card.json").unlink()
    ctx = context_of(project)
    run_all(ctx, BUILT_IN)
    assert ctx.console.lines[-1] == "Nothing has changed since the last run: no other stage is run again."
    assert (project / "data/samples/films/card.json").exists()


def test_to_see_that_nothing_has_changed_takes_no_torch_and_no_mlflow(project: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from finetune_alf.experiments.registry import load_params, registry
from finetune_alf.experiments.run_all import run_all
from finetune_alf.experiments.summary import summary_of
from finetune_alf.paths import Paths
from finetune_alf.running.context import Context
root = Path(sys.argv[1])
run_all(Context(load_params(root / "params.yaml"), Paths(root)), registry())
heavy = {"torch", "transformers", "mlflow", "sqlalchemy", "optuna", "sklearn", "altair"}
print(json.dumps(sorted(heavy & sys.modules.keys())))
"""
    ended = subprocess.run([sys.executable, "-c", script, str(project)], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["edited", "removed"])
def test_any_file_that_has_changed_runs_all_stages_again(project: Path, name: str, change: str) -> None:
    if change == "edited":
        (project / name).write_text(f"{(project / name).read_text()} ")
    elif name == "schedule.json":
        pytest.skip("params.yaml names it: the run says that it is missing")
    else:
        (project / name).unlink()
    assert run(project) == ["study", "importance", "register", "report"]


def test_names_that_end_as_the_record_is_called_are_looked_at_too(project: Path) -> None:
    for name in ("results/schedules/first-run.json", "results/freeze/run.json", "data/encoders/a/run.json"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("{}")
        assert run(project), name
        assert not run(project)
        (project / name).unlink()
        assert run(project), name


def test_a_new_file_and_other_params_run_all_stages_again(project: Path) -> None:
    (project / "results/new.json").write_text("{}")
    assert run(project)
    assert not run(project)
    (project / "params.yaml").write_text(changed_params({**CHANGES, "n_resamples: 3": "n_resamples: 4"}))
    assert run(project)


def test_another_source_runs_all_stages_again(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("domain: travel", "domain: gadgets"))
    assert run(project)


def test_records_that_wait_for_mlflow_run_all_stages_again(project: Path) -> None:
    spool = project / "studies/spool/study-tiny.jsonl"
    spool.parent.mkdir()
    spool.write_text("{}\n")
    assert run(project)
    assert run(project)
    spool.unlink()
    assert not run(project)


def test_with_a_server_a_run_never_counts_as_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    assert run(project)
    assert run(project)


def test_with_an_experiment_of_another_package_a_run_never_counts_as_done(project: Path) -> None:
    class Other(FreezeExperiment):
        key = "other"

        def choices(self, params: object) -> tuple[tuple[str, ...], ...]:
            return (("tiny",),)

    ctx = context_of(project)
    record_run(ctx, [*BUILT_IN, Other()])
    assert is_unchanged(ctx, BUILT_IN)
    assert not is_unchanged(ctx, [*BUILT_IN, Other()])


def test_a_stage_that_fails_leaves_no_record_of_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: object, **options: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "params.yaml").write_text(PARAMS)
    ctx = context_of(tmp_path)
    prepare_all(ctx, ["films", "travel"])
    monkeypatch.setattr("finetune_alf.experiments.run_all.run_stage", failing)
    with pytest.raises(KeyboardInterrupt):
        run_all(ctx, BUILT_IN)
    assert not (tmp_path / "studies" / RECORD).exists()


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"digest": "0"}'])
def test_a_damaged_record_runs_all_stages_again(project: Path, record: str) -> None:
    (project / "studies" / RECORD).write_text(record)
    assert run(project)
