"""The project whose classifiers the tests fit."""

import shutil

import pytest

from finetune_alf.experiments.fit.experiment import FIT
from finetune_alf.experiments.transfer.experiment import TRANSFER
from finetune_alf.running.prepare import prepare
from fit_project import project
from tiny import save_tiny


@pytest.fixture(scope="session")
def done(empty_store, tmp_path_factory):
    """A project after its transfer and the fit of its baseline."""
    root = tmp_path_factory.mktemp("fit") / "project"
    shutil.copytree(empty_store, root)
    save_tiny(root / "encoder")
    ctx = project(root)
    prepare(ctx, "films")
    TRANSFER.run(ctx, "tiny", "films")
    FIT.run(ctx, "tiny")
    return ctx
