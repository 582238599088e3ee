"""Fixtures for all tests."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("ALF_STUDY_STORE", None)

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))

SLOWEST_FIRST = (
    "running/test_pipeline.py",
    "train/test_identity.py",
    "tracking/test_store.py",
    "experiments/test_toy_experiment.py",
    "study/test_importance.py",
    "cli/test_dvc_stages.py",
    "study/test_study_survives_kills.py",
    "running/test_other_metrics.py",
)
"""Files that take long with few tests: begun last, one of them would run on while the other processes are idle."""

LONG_TIMEOUT_S = 3600
"""How long a test may take that is marked as long; the others have the timeout of pyproject.toml."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    first = {config.rootpath / "tests" / file: rank for rank, file in enumerate(SLOWEST_FIRST)}
    items.sort(key=lambda item: first.get(item.path, len(first)))
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no NVIDIA GPU: torch.cuda.is_available() is False")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium by Playwright; what it runs on would stand in the way of other tests' event loops if it lived longer."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there, and CHROMIUM names no other")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of these tests, see postgres_server.py."""
    from postgres_server import find_programs, running_server

    pytest.importorskip("psycopg")
    if (found := find_programs()) is None:
        pytest.skip("no PostgreSQL: `postgres` is neither on PATH nor in /usr/lib/postgresql")
    with running_server(found) as server:
        yield server


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Give subprocesses Ctrl-C back: a test run started in the background ignores it, and they would inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite store without experiments of ours; copying it is much faster than creating one."""
    from finetune_alf.tracking.store import open_store, tracking_uri

    root = tmp_path_factory.mktemp("store")
    open_store(tracking_uri(root))
    return root


@pytest.fixture
def new_root(empty_store: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that creates a project root with a store."""
    numbers = iter(range(100))

    def create() -> Path:
        root = tmp_path / f"root-{next(numbers)}"
        shutil.copytree(empty_store, root)
        return root

    return create


@pytest.fixture
def root(new_root: Callable[[], Path]) -> Path:
    return new_root()


@pytest.fixture
def quick_probes(monkeypatch):
    """Time fewer steps than a plan needs to be right."""
    monkeypatch.setattr("finetune_alf.planning.probe.PATIENCE_S", 0.0)
