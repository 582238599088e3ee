"""One mutation: a fault planted in a copy of the package, and the run of the tests that must notice it."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forked_pytest import ENDED_BY_US, ROOT, ForkedPytest

PACKAGE = ROOT / "src" / "finetune_alf"
TIME_LIMIT_S = 300.0
"""For the tests of one mutation; tests that hang are ended, and count as failed."""


@dataclass(frozen=True)
class Mutation:
    """`new` in the place of `old`, which occurs once in `file` (below the package); a test of `tests` must fail.

    `tests` are files or single tests, as pytest names them, below the folder of all tests.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    breaks: str

    @property
    def source(self) -> str:
        return (PACKAGE / self.file).read_text("utf-8")


@dataclass(frozen=True)
class Verdict:
    """The exit code of pytest, the first test that failed, and the end of the output."""

    exit_code: int
    failed: str
    output: str

    @property
    def is_killed(self) -> bool:
        """Whether a test failed; pytest also ends with an error where it could not run any."""
        return self.exit_code == 1 and bool(self.failed)


def run_mutated(forks: ForkedPytest, mutation: Mutation) -> Verdict:
    """Run a mutation's tests on a copy of the package with it."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder) / PACKAGE.name
        shutil.copytree(PACKAGE, copy)
        path = copy / mutation.file
        path.write_text(mutation.source.replace(mutation.old, mutation.new), "utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()
        return run_tests(forks, mutation.tests, Path(folder), "-x", time_limit_s=TIME_LIMIT_S)


def run_tests(forks: ForkedPytest, tests: Sequence[str], sources: Path, *options: str, time_limit_s: float) -> Verdict:
    """Run tests, up to the first that fails, on the package in the folder `sources`."""
    fixed = ["-q", "-rfE", "--no-header", "--tb=line", "-p", "no:cacheprovider", "--timeout", "120"]
    fixed += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of plugins that a vendor has imported
    exit_code, output = forks.run([*fixed, *options, *(f"tests/{test}" for test in tests)], sources, time_limit_s)
    if exit_code == ENDED_BY_US:
        return Verdict(1, f"the time limit of {time_limit_s:g} s", output[-3000:])
    found = re.search(r"^(?:FAILED|ERROR) tests/(.+?)(?: - |$)", output, re.MULTILINE)
    return Verdict(exit_code, found[1] if found else "", output[-3000:])
