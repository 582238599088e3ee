"""The tiny encoder as a folder, for projects that tests make."""

import pytest

from tiny import save_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny(tmp_path_factory.mktemp("tiny")).path
