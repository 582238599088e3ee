"""Checkpoints that the tests here share."""

from pathlib import Path

import pytest
from tiny_checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def with_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that can fill masks."""
    return save_checkpoint(tmp_path_factory.mktemp("bert-mlm"))


@pytest.fixture(scope="session")
def without_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the body alone, pooler included."""
    return save_checkpoint(tmp_path_factory.mktemp("bert"), "BertModel")
