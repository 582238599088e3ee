"""Faults that a slip would make: each must fail a test. The list is in `mutations.py`."""

from collections.abc import Mapping
from concurrent.futures import Future

import pytest
from mutation import PACKAGE, ROOT, Mutation, Verdict
from mutations import MUTATIONS, WITHOUT_MUTATION


def test_the_old_text_of_each_mutation_occurs_once() -> None:
    assert {m.breaks: n for m in MUTATIONS if (n := m.source.count(m.old)) != 1} == {}
    assert [m.breaks for m in MUTATIONS if m.old == m.new] == []


def test_the_tests_that_must_notice_exist() -> None:
    assert [test for m in MUTATIONS for test in m.tests if not _exists(test)] == []


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and (not name or f"\ndef {name}(" in path.read_text("utf-8"))


def test_every_part_of_the_package_has_a_mutation() -> None:
    folders = (PACKAGE, PACKAGE / "experiments")
    parts = {path.relative_to(PACKAGE).as_posix() for folder in folders for path in folder.iterdir()}
    parts = {part for part in parts if part.rpartition("/")[2][0].isalpha()}  # no caches and markers
    covered = {part for part in parts for m in MUTATIONS if m.file == part or m.file.startswith(f"{part}/")}
    assert parts - covered == WITHOUT_MUTATION


@pytest.mark.long
def test_without_a_mutation_the_tests_pass(unmutated: "Future[Verdict]", runs: object) -> None:
    verdict = unmutated.result()
    assert verdict.exit_code == 0, verdict.output


@pytest.mark.long
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.breaks)
def test_a_mutation_is_noticed(mutation: Mutation, runs: "Mapping[Mutation, Future[Verdict]]") -> None:
    verdict = runs[mutation].result()
    assert verdict.is_killed, f"{mutation.file}: no test notices that {mutation.breaks}.\n{verdict.output}"
