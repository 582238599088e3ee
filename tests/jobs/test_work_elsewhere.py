"""A fit on a machine without the project's folders: files travel under their digest, and the result is the same."""

import fcntl
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("ray")

from finetune_alf.compute import Compute
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.errors import DataError
from finetune_alf.execute.messages import Done, Progress, Ready, Started, Task
from finetune_alf.execute.parcels import Parcel, cache_folder, unpack
from finetune_alf.execute.ray.actor import Actor
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from tiny import save_tiny, tiny_recipe, tiny_spec

FILMS = {"source": {"kind": "mini", "domain": "films"}, "n_train": 16, "n_validation": 16, "n_confirmation": 0}
FILMS |= {"n_test": 16, "max_train_frac": 0.2}


@pytest.fixture
def runner(tmp_path: Path) -> FitRunner:
    spec = SampleSpec.model_validate_json(json.dumps(FILMS))
    card = prepare_sample("films", spec, tmp_path / "project" / "films")
    return FitRunner({card.digest: tmp_path / "project" / "films"}, Compute("cpu", "fp32", n_threads=1))


def test_a_worker_without_the_folders_gives_the_same_bits(
    runner: FitRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = save_tiny(tmp_path / "project" / "encoder")
    (sample,) = runner.folders
    job = FitJob("here", tiny_recipe(epochs=1), encoder, sample, 1, "fp32")
    expected = runner(job, lambda epoch: True)
    parcels = {key: Parcel(files) for key, files in runner.files_of(job).items()}
    digests = {key: parcel.digest for key, parcel in parcels.items()}
    contents = [parcel.contents() for parcel in parcels.values()]
    pickled = pickle.dumps(runner)
    shutil.rmtree(tmp_path / "project")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    actor = Actor(0)
    assert pickle.loads(actor.load(pickled)) == Ready()
    assert pickle.loads(actor.run(Task(7, job), digests, list(digests.values()), *contents)) == Started(7)
    progress, done = pickle.loads(actor.listen()), pickle.loads(actor.answer(True))
    assert isinstance(progress, Progress)
    assert progress.content.epoch == 0
    assert isinstance(done, Done)
    assert done.failure is None
    timed = {"seconds", "started_ms", "epochs"}
    assert done.result.model_dump(exclude=timed) == expected.model_dump(exclude=timed)
    assert pickle.loads(actor.run(Task(8, job), digests, [])) == Started(8)  # the actor has its files


def test_a_job_names_the_files_of_its_sample_and_of_its_encoder_alone(runner: FitRunner, tmp_path: Path) -> None:
    (sample,) = runner.folders
    job = FitJob("here", tiny_recipe(), tiny_spec(), sample, 1, "fp32")
    assert set(runner.files_of(job)) == {f"sample {sample}"}
    encoder = save_tiny(tmp_path / "encoder")
    (tmp_path / "encoder" / "pytorch_model.bin").write_bytes(b"not read")
    files = runner.files_of(replace(job, encoder=encoder))[f"encoder {encoder.identity()}"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    assert "pytorch_model.bin" not in files


def test_the_files_of_an_encoder_are_hashed_for_its_first_job_alone(runner: FitRunner, tmp_path: Path) -> None:
    (sample,) = runner.folders
    job = FitJob("first", tiny_recipe(), save_tiny(tmp_path / "encoder"), sample, 1, "fp32")
    files = runner.files_of(job)
    shutil.rmtree(tmp_path / "encoder")
    assert runner.files_of(replace(job, key="second")) == files


def test_a_parcel_is_unpacked_once_under_its_digest_and_again_where_it_was_changed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    parcel = Parcel({"a.txt": tmp_path / "a.txt", "inner/b.txt": tmp_path / "a.txt"})
    (tmp_path / "cache").mkdir()
    folder = unpack(tmp_path / "cache", parcel.digest, parcel.contents())
    assert (folder / "inner" / "b.txt").read_text() == "one"
    written = (folder / "a.txt").stat().st_mtime_ns
    assert unpack(tmp_path / "cache", parcel.digest, parcel.contents()) == folder
    assert (folder / "a.txt").stat().st_mtime_ns == written
    (folder / "a.txt").write_text("two")
    unpack(tmp_path / "cache", parcel.digest, parcel.contents())
    assert (folder / "a.txt").read_text() == "one"
    assert list((tmp_path / "cache").iterdir()) == [folder]


@pytest.mark.parametrize("name", ["../a.txt", "/a.txt"])
def test_a_parcel_that_is_not_what_its_digest_says_or_leaves_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    cache, digest = tmp_path / "cache", "5a" * 32
    cache.mkdir()
    with pytest.raises(DataError, match=f"the digest must be {digest}, but got"):
        unpack(cache, digest, {"a.txt": b"one"})
    with pytest.raises(DataError, match="outside its folder"):
        unpack(cache, digest, {name: b"one"})
    with pytest.raises(DataError, match="must be a SHA-256"):
        unpack(cache, name, {"a.txt": b"one"})
    assert list(cache.iterdir()) == []
    assert list(tmp_path.iterdir()) == [cache]


def test_a_damaged_parcel_is_replaced_by_one_worker_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    parcel, cache = Parcel({"a.txt": tmp_path / "a.txt"}), tmp_path / "cache"
    cache.mkdir()
    folder = unpack(cache, parcel.digest, parcel.contents())
    (folder / "a.txt").write_text("two")
    before = folder.stat().st_ino
    waiting = Thread(target=unpack, args=(cache, parcel.digest, parcel.contents()))
    first = os.open(cache, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    waiting.start()
    waiting.join(0.3)
    (folder / "a.txt").write_text("one")
    os.close(first)
    waiting.join()
    assert folder.stat().st_ino == before


def test_the_cache_is_a_folder_of_this_user_and_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache_folder()
    assert cache_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="must be a folder of this user"):
        cache_folder()
