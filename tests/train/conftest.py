import pytest

from tiny import load_tiny


@pytest.fixture(scope="session")
def loaded():
    return load_tiny()


@pytest.fixture(scope="session")
def loaded_without_dropout():
    return load_tiny(dropout=0.0)
