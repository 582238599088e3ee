"""Tables of the page: the script sorts cells by what they say, and a column of words is told from one of numbers."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

from finetune_alf.report.html.inline import inline
from finetune_alf.report.markdown import has_words, table
from finetune_alf.report.numbers import duration
from finetune_alf.report.section import plain

SCRIPT = (files("finetune_alf.report.html") / "templates" / "page.js").read_text("utf-8")
COLUMNS = {
    "times": [duration(seconds) for seconds in (0.4, 8.4, 43, 157, 278, 3600, 12_000)],
    "scores": [".554 [.529, .585]", ".557", "1.000", "–"],
    "differences": ["-.089 [-.127, -.051]", ".000 (equal throughout)", "+.017"],
    "rates": ["0", "2e-8", "5e-6", "1.23e-5", "1e-3"],
    "counts": ["770 (0.0%)", "20,939,522 (92.2%)", "22,713,986 (100.0%)"],
    "p": ["< .001", ".005", ".050"],
    "names": ["3 hours", "3 seeds", "40 steps"],
}
"""Cells in order, the lowest first."""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's script")
@pytest.mark.parametrize("cells", COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_sorted_by_what_its_cells_say(cells: list[str]) -> None:
    functions = SCRIPT[
        SCRIPT.index("  const number = ") : SCRIPT.index('  document.querySelectorAll("table.sortable")')
    ]
    program = f"{functions}; console.log(JSON.stringify({json.dumps(cells[::-1])}.sort(compare)))"
    found = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(found) == cells


@pytest.mark.parametrize("name", ["negative", "`a`", "да", "好", "né"])
def test_names_of_classes_in_any_script_are_words(name: str) -> None:
    assert has_words(["–", name])
    assert table(["class", "n"], [[name, "3"]]).splitlines()[1] == "| --- | ---: |"


@pytest.mark.parametrize("number", [".812 [.771, .851]", "5e-5", "+.012", "–", "43 s", "12 %"])
def test_numbers_are_none(number: str) -> None:
    assert not has_words([number])


def test_amounts_of_money_in_names_are_no_formula() -> None:
    assert plain("$5 or $10") == r"\$5 or \$10"
    assert inline(plain("$5 or $10")) == "$5 or $10"
