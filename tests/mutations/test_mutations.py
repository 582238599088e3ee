"""Faults that a slip would make: each must fail a test. The list is in `mutations.py`."""

from collections.abc import Mapping
from concurrent.futures import Future

import pytest
from forked_pytest import ROOT
from mutation import PACKAGE, Mutation, Verdict

from mutations import MUTATIONS


def test_the_old_text_of_each_mutation_occurs_once() -> None:
    assert {m.breaks: n for m in MUTATIONS if (n := m.source.count(m.old)) != 1} == {}
    assert [m.breaks for m in MUTATIONS if m.old == m.new] == []


def test_the_tests_that_must_notice_exist() -> None:
    assert [test for m in MUTATIONS for test in m.tests if not _exists(test)] == []


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and (not name or f"\ndef {name}(" in path.read_text("utf-8"))


def test_every_package_has_a_mutation() -> None:
    folders = [path for parent in (PACKAGE, PACKAGE / "experiments") for path in parent.iterdir() if path.is_dir()]
    packages = {path.relative_to(PACKAGE).as_posix() for path in folders if any(path.glob("*.py"))}
    assert {name for name in packages if not any(m.file.startswith(f"{name}/") for m in MUTATIONS)} == set()


@pytest.mark.long
def test_without_a_mutation_the_tests_pass(unmutated: "Future[Verdict]", runs: object) -> None:
    verdict = unmutated.result()
    assert verdict.exit_code == 0, verdict.output


@pytest.mark.long
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.breaks)
def test_a_mutation_is_noticed(mutation: Mutation, runs: "Mapping[Mutation, Future[Verdict]]") -> None:
    verdict = runs[mutation].result()
    assert verdict.is_killed, f"{mutation.file}: no test notices that {mutation.breaks}.\n{verdict.output}"
