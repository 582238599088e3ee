"""docs/cases.md: every case names a test that exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "cases.md").read_text()
SHOWN_BY = sorted(set(re.findall(r"\| `([\w/]+\.py)::(\w+)` \|", PAGE)))


@pytest.mark.parametrize(("file", "test"), SHOWN_BY)
def test_the_test_of_a_case_is_there(file: str, test: str) -> None:
    tree = ast.parse((TESTS / file).read_text())
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_case_has_a_test_or_a_reason() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| case")]
    cases, _, others = PAGE.partition("## What does not apply")
    n_shown = len(re.findall(r"^\| .*\| `[\w/]+\.py::\w+` \|$", cases, re.MULTILINE))
    assert n_shown + len([line for line in others.splitlines() if line.startswith("| ")]) - 1 == len(rows)
