"""Checkpoints that the tests of this folder share."""

from pathlib import Path

import pytest
from tiny_checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def with_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a masked language modelling head."""
    return save_checkpoint(tmp_path_factory.mktemp("bert-mlm"))


@pytest.fixture(scope="session")
def without_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the encoder only, with its pooler."""
    return save_checkpoint(tmp_path_factory.mktemp("bert"), "BertModel")
