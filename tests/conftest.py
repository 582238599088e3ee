"""Fixtures for all tests."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")


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
    monkeypatch.setattr("finetune_alf.planning.probe.N_ROUNDS", 2)
    monkeypatch.setattr("finetune_alf.planning.probe.PATIENCE_S", 0.0)
