"""A study that is resumed with other settings of `compute`, or after a commit."""

import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from finetune_alf.paths import Paths
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from finetune_alf.schedules.schedule import Schedule
from finetune_alf.study.records import TrialRecord, read_study, read_trials
from small_project import RecordingConsole, small_context

N_TRIALS = 4


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Context:
    ctx = small_context(tmp_path_factory.mktemp("project"), **{"n_trials: 12": f"n_trials: {N_TRIALS}"})
    prepare(ctx, "films")
    study(ctx, "tiny")
    return ctx


def copied(ctx: Context, root: Path, n_trials: int = N_TRIALS, **compute: object) -> Context:
    """Return the project in another folder, with these settings of `compute` and so many trials."""
    if not root.exists():
        shutil.copytree(ctx.paths.root, root)
    spec = ctx.params.studies["tiny"].model_copy(update={"n_trials": n_trials})
    changes = {"compute": ctx.params.compute.model_copy(update=compute), "studies": {"tiny": spec}}
    return Context(ctx.params.model_copy(update=changes), Paths(root), RecordingConsole())


def databases(ctx: Context) -> list[str]:
    return sorted(path.name for path in ctx.paths.studies.glob("tiny-*.db"))


def trials(ctx: Context) -> list[TrialRecord]:
    return read_trials(ctx.paths.study_results("tiny") / "trials.jsonl")


def test_another_precision_is_another_study_and_the_warning_names_it(
    begun: Context, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = copied(begun, tmp_path / "there", precision="bf16")
    with caplog.at_level(logging.WARNING):
        study(elsewhere, "tiny")
    assert 'Changed: precision: "fp32" -> "bf16".' in caplog.text
    assert len(databases(elsewhere)) == 2
    assert {record.environment.precision for record in trials(elsewhere)} == {"bf16"}
    study(copied(begun, tmp_path / "there"), "tiny")  # and back: the first study, without a new fit
    assert trials(elsewhere) == trials(begun)


def test_a_smaller_micro_batch_resumes_the_study(begun: Context, tmp_path: Path) -> None:
    smaller = copied(begun, tmp_path / "there", n_trials=N_TRIALS + 2, micro_batch=3)
    study(smaller, "tiny")
    assert databases(smaller) == databases(begun)
    records = trials(smaller)
    assert records[:N_TRIALS] == trials(begun)
    fitted = [record.environment.micro_batch for record in records[N_TRIALS:] if record.repeats is None]
    assert fitted
    assert set(fitted) == {3}
    shares = read_study(smaller.paths.study_results("tiny")).environments
    counts = {share.environment.micro_batch: share.n_fits for share in shares}
    assert counts == {None: N_TRIALS + 2 - len(fitted), 3: len(fitted)}


@pytest.mark.long
def test_a_commit_between_two_runs_changes_no_result_and_no_digest(begun: Context, tmp_path: Path) -> None:
    ctx = copied(begun, tmp_path / "repository")
    ctx.paths.study_results("tiny").joinpath("study.json").unlink()
    shutil.rmtree(ctx.paths.studies)
    commit(ctx.paths.root, "first")
    first = run(ctx)
    assert {schedule.provenance.git_commit for schedule in first[1]} == {head(ctx.paths.root)}
    commit(ctx.paths.root, "second")
    assert run(ctx) == first


def run(ctx: Context) -> tuple[dict[str, bytes], list[Schedule]]:
    """Run study and registration; return the study's files, and the registered schedules."""
    study(ctx, "tiny")
    register(ctx, "tiny")
    folder = ctx.paths.study_results("tiny")
    locked = read_lock(ctx.paths.schedules("tiny")).schedules.values()
    return {path.name: path.read_bytes() for path in folder.iterdir()}, [each.schedule for each in locked]


def commit(root: Path, message: str) -> None:
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", message]):
        who = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
        subprocess.run(["git", "-C", str(root), *who, *words], check=True)


def head(root: Path) -> str:
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()
