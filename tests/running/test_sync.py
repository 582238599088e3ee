"""`sync` brings MLflow to what the files say: what waits, and what came with the results of another machine."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from finetune_alf.errors import PartialError, TrackingError
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.register.lock import read_lock
from finetune_alf.running.context import Context
from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.study import study
from finetune_alf.running.sync import sync
from finetune_alf.tracking.calls import LogArtifact
from finetune_alf.tracking.spool import new_spool, spools
from small_project import RecordingConsole, small_context

SMALLER = {"n_trials: 12": "n_trials: 3", "[feature_extraction, baseline, alf-1, alf-2, decayed]": "[baseline, tfidf]"}


@pytest.fixture(scope="module")
def done(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    root = tmp_path_factory.mktemp("parent") / "project"
    shutil.copytree(empty_store, root)
    ctx = small_context(root, **SMALLER)
    prepare(ctx, "films")
    study(ctx, "tiny")
    register(ctx, "tiny")
    transfer(ctx, "tiny", "films")
    return ctx


@pytest.fixture
def elsewhere(done: Context, root: Path) -> Context:
    """Another machine after `dvc pull`: data and results, an empty store, no databases and ledgers."""
    for name in ("data", "results"):
        shutil.copytree(done.paths.root / name, root / name)
    return replace(small_context(root, **SMALLER), console=RecordingConsole())


def runs_of(ctx: Context) -> dict[str, tuple[object, ...]]:
    """All runs of a project by key, as MLflow shows them."""
    tracker = open_tracker(ctx)
    found = tracker.client.search_runs([tracker.experiment_id], max_results=1_000)
    assert len({run.data.tags["alf.key"] for run in found}) == len(found)
    return {
        run.data.tags["alf.key"]: (
            run.info.run_name,
            run.info.status,
            run.data.params,
            {name: tracker.client.get_metric_history(run.info.run_id, name)[-1].value for name in run.data.metrics},
            {name: tag for name, tag in run.data.tags.items() if name.startswith("alf.")},
            sorted(item.path for item in tracker.client.list_artifacts(run.info.run_id)),
        )
        for run in found
    }


def test_results_of_another_machine_give_the_same_runs_by_the_same_keys_and_none_twice(
    done: Context, elsewhere: Context
) -> None:
    sync(elsewhere)
    rebuilt, original = runs_of(elsewhere), runs_of(done)
    parents = {key for key in original if key.endswith(("register/tiny", "transfer/tiny/films"))}
    (study_run,) = [key for key in original if "/study/tiny/" in key and key.count("/") == 3]
    nested = original.keys() - parents - {study_run}
    assert len(parents) == 2
    assert Counter(key.split("/")[1] for key in nested) == {
        "study": 3,
        "transfer-tiny-films": 4,
        "register-tiny": read_lock(done.paths.schedules("tiny")).n_fits,
    }
    assert rebuilt.keys() == original.keys()
    for key in nested:
        assert rebuilt[key][:5] == original[key][:5]
    assert {run[1] for run in rebuilt.values()} == {"FINISHED"}
    sync(elsewhere)
    assert runs_of(elsewhere) == rebuilt
    assert elsewhere.console.lines[-1].startswith("0 runs of the results were missing")


def test_runs_that_are_there_stay_and_those_that_are_missing_come_back(done: Context, elsewhere: Context) -> None:
    sync(elsewhere)
    before, tracker = runs_of(elsewhere), open_tracker(elsewhere)
    (key,) = [key for key in before if key.endswith("/1") and "study/tiny" in key]
    tracker.client.delete_run(tracker.find_run(key.removeprefix("small/")))
    sync(elsewhere)
    assert runs_of(elsewhere) == before


def test_what_waits_is_written_and_a_running_stage_is_left_alone(elsewhere: Context) -> None:
    with new_spool(elsewhere.paths.spools, "freeze/one") as killed:
        killed.start_parent_run("freeze/one", "freeze one", {})
    with new_spool(elsewhere.paths.spools, "freeze/two") as running:
        running.start_parent_run("freeze/two", "freeze two", {})
        with pytest.raises(PartialError, match=r"freeze\.two still runs"):
            sync(elsewhere)
        assert spools(elsewhere.paths.spools) == [running.path]
    found = runs_of(elsewhere)
    assert found["small/freeze/one"][1] == "KILLED"
    assert "small/freeze/two" not in found


def test_a_file_that_a_running_stage_writes_is_left_alone(elsewhere: Context) -> None:
    path = elsewhere.paths.cells("transfer", "tiny", "films")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with (
        new_spool(elsewhere.paths.spools, "transfer/tiny/films"),
        pytest.raises(PartialError, match=r"^Not all is in MLflow\. transfer\.tiny\.films still runs, .* its own\.$"),
    ):
        sync(elsewhere)
    with pytest.raises(PartialError, match=r"films\.jsonl: must have all its lines"):
        sync(elsewhere)


def test_fits_of_a_registration_that_are_damaged_are_named_and_the_rest_is_written(elsewhere: Context) -> None:
    path = elsewhere.paths.registration_fits("tiny")
    path.write_text(path.read_text().replace('"seed"', '"sead"', 1))
    with pytest.raises(PartialError, match=r"artifacts/tiny/fits\.jsonl:1: .*`finetune-alf register tiny "):
        sync(elsewhere)
    assert "small/transfer/tiny/films" in runs_of(elsewhere)


def test_a_registration_of_an_earlier_version_has_its_parent_run_alone(elsewhere: Context) -> None:
    elsewhere.paths.registration_fits("tiny").unlink()
    sync(elsewhere)
    assert [key for key in runs_of(elsewhere) if "register" in key] == ["small/register/tiny"]


def test_cells_of_an_entry_have_runs_whatever_its_name(elsewhere: Context) -> None:
    path = elsewhere.paths.cells("transfer", "tiny", "films")
    path.rename(path.with_name("trials.jsonl"))
    sync(elsewhere)
    assert "small/transfer/tiny/films" in runs_of(elsewhere)


def test_a_record_that_is_refused_holds_back_no_results(elsewhere: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_spool(elsewhere.paths.spools, "transfer/tiny/films") as killed:
        killed.start_parent_run("transfer/tiny/films", "transfer tiny films", {})
        killed.log_artifact("transfer/tiny/films", "a", b"refused")

    def refuse(*_: object) -> None:
        raise TrackingError("too large")

    monkeypatch.setattr(LogArtifact, "make", refuse)
    with pytest.raises(PartialError, match=r"refused 1 records: too large$"):
        sync(elsewhere)
    assert sum("/transfer-tiny-films/" in key for key in runs_of(elsewhere)) == 4


def test_results_of_other_params_are_named_and_the_rest_is_written(elsewhere: Context) -> None:
    text = (elsewhere.paths.root / "params.yaml").read_text()
    other = small_context(elsewhere.paths.root, **{**SMALLER, "seed: 3": "seed: 4"})
    assert (elsewhere.paths.root / "params.yaml").read_text() != text
    with pytest.raises(PartialError, match=r"studies\.tiny: must be the study of .* but has changed since"):
        sync(other)
    assert "small/transfer/tiny/films" in runs_of(other)


def test_without_a_server_nothing_is_done(elsewhere: Context) -> None:
    there = elsewhere.params.tracking.model_copy(update={"uri": "http://127.0.0.1:9"})
    down = replace(elsewhere, params=elsewhere.params.model_copy(update={"tracking": there}))
    with pytest.raises(TrackingError, match="cannot use the MLflow store"):
        sync(down)
