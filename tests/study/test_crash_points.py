"""A process that ends at a named place loses nothing, does nothing twice, and ends as one that was not interrupted."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from crashing import SCENARIO_OF, SCENARIOS

import finetune_alf

SHORT = ("trial-insert-after", "epoch", "trial-complete-before", "file-rename-before", "ledger-line-after")
SHORT_FOLDERS = ("folder-replace-before", "folder-replace-after", "folder-taken-away")


def test_every_place_of_the_source_has_its_scenario() -> None:
    sources = Path(finetune_alf.__file__).parent.rglob("*.py")
    named = [name for source in sources for name in re.findall(r'\bcrashpoint\("([^"]*)"\)', source.read_text("utf-8"))]
    assert sorted(named) == sorted(SCENARIO_OF)
    assert len(named) >= 14


def crashed(root: Path, points: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what came out of each point, and of each scenario without one, by their names."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", "import crashing; crashing.main()", str(root), *points]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {found["point"]: found for found in map(json.loads, done.stdout.splitlines())}


def check(root: Path, names: Sequence[str], passages: Sequence[int]) -> None:
    scenarios = {SCENARIO_OF[name] for name in names}
    found = crashed(root, [*scenarios, *(f"{name}:{nth}" for name in names for nth in passages)])
    for name in names:
        whole = found[SCENARIO_OF[name]]
        assert whole["exit_codes"] == [0, 0], whole
        for nth in passages:
            point = found[f"{name}:{nth}"]
            codes = [[137, 0]] if nth == 1 else [[137, 0], [0, 0]]  # a place may be passed fewer times
            assert point["exit_codes"] in codes, point
            assert point["outcome"] == whole["outcome"], point


def test_a_process_that_ends_at_a_named_place_ends_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    check(tmp_path, [*SHORT, *SHORT_FOLDERS], [1])


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_process_that_ends_at_any_passage_ends_as_one_that_was_not_interrupted(tmp_path: Path, scenario: str) -> None:
    check(tmp_path, [name for name, its in SCENARIO_OF.items() if its == scenario], [1, 2, 3])
