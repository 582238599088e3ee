"""Folders that are replaced as a whole."""

import errno
import os
from pathlib import Path

import pytest

from finetune_alf import folders
from finetune_alf.errors import StorageError
from finetune_alf.folders import recover_folder, replace_folder


@pytest.fixture(params=["exchanged", "renamed"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a former content, on a system that exchanges two folders in one step, and on one that cannot."""
    if request.param == "renamed":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    write(tmp_path / "films", "former")
    return tmp_path / "films"


def write(folder: Path, text: str) -> None:
    with replace_folder(folder) as new:
        (new / "file").write_text(text)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_replaced_and_nothing_else_is_left(folder: Path) -> None:
    write(folder, "later")
    assert (folder / "file").read_text() == "later"
    assert names_in(folder.parent) == ["films"]


def test_a_block_that_fails_leaves_the_former_folder_and_nothing_else(folder: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_folder(folder) as new:
        (new / "no" / "file").write_text("later")
    assert (folder / "file").read_text() == "former"
    assert names_in(folder.parent) == ["films"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace = tmp_path / "films", os.replace
    write(folder, "former")

    def refuse_the_new_one(source: Path, target: Path) -> None:
        if Path(source).name.endswith(".new"):
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    monkeypatch.setattr(os, "replace", refuse_the_new_one)
    with pytest.raises(StorageError, match=r"cannot write .*films: permission denied"):
        write(folder, "later")
    assert (folder / "file").read_text() == "former"
    assert names_in(tmp_path) == ["films"]


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="not Linux")
def test_there_is_a_folder_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "films", "former")
    monkeypatch.setattr(os, "replace", lambda *names: pytest.fail("the former folder is taken away first"))
    write(tmp_path / "films", "later")
    assert (tmp_path / "films" / "file").read_text() == "later"


@pytest.mark.parametrize("former", [".films.old", ".films.a1b2c3_9.previous"])
def test_a_former_folder_that_a_killed_process_took_away_is_put_back(tmp_path: Path, former: str) -> None:
    (tmp_path / former).mkdir()
    (tmp_path / former / "file").write_text("former")
    recover_folder(tmp_path / "films")
    assert (tmp_path / "films" / "file").read_text() == "former"
    assert names_in(tmp_path) == ["films"]


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    mine = ["films.txt", ".films.notes", ".filmsa1b2c3d4", ".other.a1b2c3d4"]
    for name in (".films.new", ".films.old", ".films.a1b2c3d4", ".films.a1b2c3d4.previous", *mine):
        (tmp_path / name).mkdir()
    write(tmp_path / "films", "new")
    assert names_in(tmp_path) == sorted(["films", *mine])
