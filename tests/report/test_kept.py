"""The page of kept results: results of long runs that a repository holds beside the commands that made them."""

from pathlib import Path

import pytest
from report_tree import write_everything

from finetune_alf.errors import InputError
from finetune_alf.json_files import write_jsonl
from finetune_alf.report.kept import RUNS, write_kept

FOLDER = "docs/results"
RUN = {"command": "finetune-alf run --params mine.yaml", "wall_s": 960.0, "date": "2026-11-28", "machine": "2 cores"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with kept results of one study."""
    paths = write_everything(tmp_path, FOLDER)
    write_jsonl(paths.results / RUNS, [RUN])
    return tmp_path


def test_the_page_lies_beside_its_folder_with_its_figures(root: Path) -> None:
    page = write_kept(root, FOLDER, [])
    assert page == root / "docs" / "results.md"
    text = page.read_text("utf-8")
    assert "files under `docs/results/`" in text
    assert "| `finetune-alf run --params mine.yaml` | 16 min 0 s | 2026-11-28 | 2 cores |" in text
    assert "](figures/minilm-search.png)" in text
    assert (root / "docs" / "figures" / "minilm-search.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_page(root: Path) -> None:
    first = write_kept(root, FOLDER, []).read_text("utf-8")
    assert write_kept(root, FOLDER, []).read_text("utf-8") == first


def test_a_broken_file_leaves_the_page_as_it_was(root: Path) -> None:
    page = write_kept(root, FOLDER, [])
    before = page.read_text("utf-8")
    write_jsonl(root / FOLDER / RUNS, [RUN, {"command": "x"}])
    with pytest.raises(InputError, match=r"runs\.jsonl:2: .*wall_s"):
        write_kept(root, FOLDER, [])
    assert page.read_text("utf-8") == before
