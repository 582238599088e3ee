"""`finetune-alf doctor` sees planted faults, says their way out, and changes nothing."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.compute.spec import ComputeSpec
from finetune_alf.doctor.installation import devices
from finetune_alf.doctor.stages import stale_stages
from finetune_alf.locks import hold_lock
from finetune_alf.paths import Paths
from finetune_alf.running.prepare import prepare
from finetune_alf.running.study import study
from finetune_alf.study.store import StudyStore
from finetune_alf.tracking.store import sqlite_path, tracking_uri
from small_project import PARAMS, context_of


def examined(root: Path) -> tuple[dict[str, dict], int]:
    """Return the findings by name, and the exit code."""
    done = CliRunner().invoke(group, ["doctor", "--json", "--root", str(root)])
    return {one["name"]: one for one in json.loads(done.stdout)}, done.exit_code


def contents(root: Path) -> dict[Path, bytes]:
    """Return the files of a folder."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def faults(found: dict[str, dict]) -> list[str]:
    return [name for name, one in found.items() if one["is_fault"]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory, empty_store):
    """A project whose study has its two trials."""
    root = tmp_path_factory.mktemp("searched")
    (root / "params.yaml").write_text(PARAMS.replace("n_trials: 12", "n_trials: 2"))
    ctx = context_of(root)
    prepare(ctx, "films")
    study(ctx, "tiny")
    return root


def test_an_empty_folder_has_no_fault_and_stays_empty(tmp_path):
    found, code = examined(tmp_path)
    assert (code, faults(found)) == (0, [])
    assert {"python", "torch", "compute", "of stages"} <= set(found)
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_told_with_its_trials_and_its_results(searched):
    found, code = examined(searched)
    assert code == 0
    (database,) = (searched / "studies").glob("*.db")
    assert found[str(database)]["state"] == "2 of 2 trials (2 complete)"
    assert found[str(searched / "results" / "study" / "tiny")]["state"] == "up to date"


def test_results_of_other_settings_are_stale(searched, monkeypatch):
    path = searched / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("seed: 3", "seed: 4"))
    try:
        found, code = examined(searched)
    finally:
        path.write_text(before)
    assert code == 0
    assert found["studies.tiny"]["state"] == "no trial yet under the present settings"
    assert found["studies.tiny"]["next_step"] == f"Run `finetune-alf study tiny --root {searched}`."
    (database,) = (searched / "studies").glob("*.db")
    assert found[str(database)]["state"] == "a study of other settings: seed: 3 -> 4"
    assert found[str(searched / "results" / "study" / "tiny")]["state"] == "stale: 2 trials of other params"


def test_a_damaged_database_is_a_fault(searched):
    (database,) = (searched / "studies").glob("*.db")
    before = database.read_bytes()
    database.write_bytes(before[: len(before) // 2])
    try:
        found, code = examined(searched)
    finally:
        database.write_bytes(before)
    assert (code, faults(found)) == (5, [str(database)])
    assert "Restore a backup" in found[str(database)]["way_out"]


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"[]", b'{"name": "tiny"}', b'{"identity": 3}'])
def test_a_damaged_card_of_an_encoder_is_a_fault(searched, damaged):
    card = searched / "results" / "encoder" / "tiny.json"
    card.parent.mkdir(exist_ok=True)
    card.write_bytes(damaged)
    try:
        found, code = examined(searched)
    finally:
        card.unlink()
    assert (code, faults(found)) == (5, [str(card)])
    assert found[str(card)]["way_out"].endswith(f"Run `finetune-alf encoder tiny --root {searched}`, which writes it.")


def test_a_device_that_is_not_there_is_the_only_fault(searched):
    path = searched / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("compute: {", "compute: {device: 'cuda:99', "))
    try:
        found, code = examined(searched)
    finally:
        path.write_text(before)
    assert (code, faults(found)) == (5, ["compute"])


@pytest.mark.parametrize("cores", [None, 3])
def test_a_system_that_does_not_say_what_a_process_may_use_is_told_with_its_cores(monkeypatch, cores):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    (cpu,) = [finding for finding in devices(ComputeSpec()) if finding.name == "cpu"]
    assert cpu.state.startswith("3 of 3 cores" if cores else "cores unknown")


def test_the_store_of_a_folder_that_was_moved_is_left_as_it_is(tmp_path, searched):
    moved = tmp_path / "moved"
    shutil.copytree(searched, moved)
    shutil.rmtree(moved / "studies")
    before = contents(moved)
    gone = searched.rename(tmp_path / "gone")
    try:
        found, _ = examined(moved)
    finally:
        gone.rename(searched)
    assert found[tracking_uri(moved)]["state"].startswith("answers, ")
    assert contents(moved) == before


def test_a_file_that_is_no_store_of_mlflow_is_a_fault_and_stays(tmp_path):
    path = sqlite_path(tracking_uri(tmp_path))
    path.parent.mkdir()
    path.touch()
    found, code = examined(tmp_path)
    assert (code, faults(found)) == (5, [tracking_uri(tmp_path)])
    assert contents(tmp_path) == {path: b""}


def test_a_study_that_runs_is_told_with_its_process_and_without_advice(searched):
    path = searched / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("n_trials: 2", "n_trials: 3"))
    (database,) = (searched / "studies").glob("*.db")
    try:
        idle, _ = examined(searched)
        with hold_lock(searched / "studies" / "study-tiny.lock"):
            running, code = examined(searched)
            path.write_text(before.replace("seed: 3", "seed: 4"))
            begun, _ = examined(searched)
    finally:
        path.write_text(before)
    assert idle[str(database)]["state"] == "2 of 3 trials (2 complete)"
    assert idle[str(database)]["next_step"] == f"Run `finetune-alf study tiny --root {searched}`."
    assert code == 0
    assert running[str(database)]["state"].startswith(f"2 of 3 trials (2 complete), running: process {os.getpid()} on ")
    assert begun["studies.tiny"]["state"].startswith("no trial yet under the present settings, running: process ")
    assert not [one for found in (running, begun) for one in found.values() if one["next_step"]]


def test_the_trial_of_a_study_that_runs_is_not_called_unfinished(searched, monkeypatch):
    monkeypatch.setattr(StudyStore, "pending_trials", lambda _: ["a trial"])
    (database,) = (searched / "studies").glob("*.db")
    idle, _ = examined(searched)
    with hold_lock(searched / "studies" / "study-tiny.lock"):
        running, _ = examined(searched)
    assert idle[str(database)]["state"] == "2 of 2 trials (2 complete, 1 begun and not finished)"
    assert running[str(database)]["state"].startswith("2 of 2 trials (2 complete, 1 begun), running: process ")


def test_a_held_lock_is_told_with_its_holder(tmp_path):
    path = tmp_path / "studies" / "tiny.lock"
    with hold_lock(path):
        found, code = examined(tmp_path)
    assert code == 0
    assert found[str(path)]["state"].startswith("held by process ")
    after, _ = examined(tmp_path)
    assert after["of stages"]["state"] == "none is held"


def test_an_empty_lock_of_dvc_is_a_fault(tmp_path):
    rwlock = tmp_path / ".dvc" / "tmp" / "rwlock"
    rwlock.parent.mkdir(parents=True)
    rwlock.touch()
    found, code = examined(tmp_path)
    assert (code, faults(found)) == (5, [str(rwlock)])


def test_params_that_do_not_validate_are_a_fault_beside_the_rest(tmp_path):
    (tmp_path / "params.yaml").write_text("studys: {}\n")
    found, code = examined(tmp_path)
    assert (code, faults(found)) == (5, [str(tmp_path / "params.yaml")])
    assert "python" in found


def test_without_dvc_the_run_of_this_folder_is_named(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = stale_stages(Paths(tmp_path))
    assert found.next_step == f"Install DVC, or use `finetune-alf run --root {tmp_path}`."


def test_what_dvc_calls_changed_is_stale(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {copy: {cmd: cp a b, deps: [a], outs: [b]}}\n")
    (tmp_path / "a").write_text("1")
    for words in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        subprocess.run(["dvc", *words], cwd=tmp_path, check=True)
    assert examined(tmp_path)[0]["dvc status"]["state"] == "up to date"
    (tmp_path / "a").write_text("2")
    found, code = examined(tmp_path)
    assert (code, found["copy"]["state"]) == (0, "stale: changed deps (a)")
