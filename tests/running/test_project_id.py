"""The project's id: a name from params.yaml, or a random one that the folder keeps."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from finetune_alf.errors import InputError
from finetune_alf.paths import Paths
from finetune_alf.running.project import project_id


def test_a_named_project_needs_no_file(tmp_path: Path) -> None:
    assert project_id("reviews", Paths(tmp_path)) == "reviews"
    assert list(tmp_path.iterdir()) == []


def test_a_random_name_is_made_once_and_kept_in_the_folder(tmp_path: Path) -> None:
    one, other = (project_id("auto", Paths(tmp_path / name)) for name in ("one", "other"))
    assert re.fullmatch("[0-9a-f]{8}", one)
    assert one != other
    assert project_id("auto", Paths(tmp_path / "one")) == one
    assert [file.name for file in (tmp_path / "one" / "studies").iterdir()] == ["project.txt"]
    assert project_id("reviews", Paths(tmp_path / "one")) == "reviews"


def test_of_many_that_start_at_once_all_have_the_name_of_the_first(tmp_path: Path) -> None:
    barrier = threading.Barrier(16)

    def start(_: int) -> str:
        barrier.wait()
        return project_id("auto", Paths(tmp_path))

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(start, range(16)))) == 1
    assert [file.name for file in (tmp_path / "studies").iterdir()] == ["project.txt"]


@pytest.mark.parametrize("text", ["", "Two words\n", "../up", "x" * 65])
def test_a_file_without_a_name_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "project.txt").write_text(text)
    with pytest.raises(InputError, match=r"studies/project.txt: must hold 1 to 64 lower-case letters"):
        project_id("auto", Paths(tmp_path))
