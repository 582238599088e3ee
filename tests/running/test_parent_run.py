"""A parent run that cannot be opened leaves nothing behind; what takes long in opening and closing one is shown."""

import pytest

from finetune_alf.errors import TrackingError
from finetune_alf.running.parent_run import Runs, parent_run
from finetune_alf.tracking.spool import spools
from small_project import small_context


def test_a_store_that_is_none_leaves_no_spool(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:///nowhere")
    ctx = small_context(root)
    with pytest.raises(TrackingError, match="must be sqlite"), parent_run(ctx, "study/tiny", "study tiny", {}):
        pass
    assert spools(ctx.paths.spools) == []


def test_an_interrupted_start_leaves_no_spool(root, monkeypatch):
    def interrupt(runs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Runs, "tracker", property(interrupt))
    ctx = small_context(root)
    with pytest.raises(KeyboardInterrupt), parent_run(ctx, "study/tiny", "study tiny", {}, needs_store=True):
        pass
    assert spools(ctx.paths.spools) == []


def test_a_stage_that_needs_the_store_says_that_it_opens_it(root, monkeypatch):
    monkeypatch.setattr("finetune_alf.tracking.mirror.SLOW_S", 1000.0)
    ctx = small_context(root)
    with parent_run(ctx, "study/tiny", "study tiny", {}):
        assert ctx.console.doings == []
    with parent_run(ctx, "register/tiny", "register tiny", {}, needs_store=True):
        assert ctx.console.doings == ["register tiny: opening MLflow's store"]


def test_a_stage_that_waits_for_its_last_records_says_so_once(root, monkeypatch):
    monkeypatch.setattr("finetune_alf.tracking.mirror.SLOW_S", 0.0)
    ctx = small_context(root)
    with parent_run(ctx, "study/tiny", "study tiny", {}):
        pass
    assert ctx.console.doings == ["study tiny: writing the last records to MLflow"]
