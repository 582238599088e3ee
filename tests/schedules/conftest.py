import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finetune_alf.tracking.store import open_store, tracking_uri


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite store without experiments of ours; making one takes seconds, copying it none."""
    root = tmp_path_factory.mktemp("store")
    open_store(tracking_uri(root))
    return root


@pytest.fixture
def new_root(empty_store: Path, tmp_path: Path) -> Callable[[], Path]:
    """Make another root that already has a store."""
    numbers = iter(range(100))

    def make() -> Path:
        root = tmp_path / f"root-{next(numbers)}"
        shutil.copytree(empty_store, root)
        return root

    return make


@pytest.fixture
def root(new_root: Callable[[], Path]) -> Path:
    return new_root()
