"""The metrics of fits that go on, in worker processes, as MLflow shows them."""

import shutil
import threading

import pytest

from finetune_alf.running.parent_run import open_tracker
from finetune_alf.running.prepare import prepare
from finetune_alf.running.study import study
from small_project import small_context

RUNNING = "tags.`alf.trial` != '' and attributes.status = 'RUNNING'"


@pytest.mark.long
def test_the_epochs_of_the_pools_trials_appear_while_they_go_on(empty_store, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(empty_store, root)
    changes = {
        "{n_threads: 1,": "{n_threads: 1, n_workers: 2,",
        "epochs: 4": "epochs: 60",
        "n_trials: 12": "n_trials: 2",
    }
    ctx = small_context(root, **changes)
    prepare(ctx, "films")
    tracker, ended, seen = open_tracker(ctx), threading.Event(), set()

    def watch():
        while not ended.wait(0.1):
            for run in tracker.client.search_runs([tracker.experiment_id], RUNNING):
                if "validation/accuracy" in run.data.metrics and "rates.layer.0" in run.data.params:
                    seen.add(run.data.tags["alf.trial"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        study(ctx, "tiny")
    finally:
        ended.set()
        watcher.join()
    assert seen == {"0", "1"}
    finished = tracker.client.search_runs([tracker.experiment_id], "tags.`alf.trial` != ''")
    assert [run.info.status for run in finished] == ["FINISHED", "FINISHED"]
    for run in finished:
        points = tracker.client.get_metric_history(run.info.run_id, "train/loss")
        assert [point.step for point in points] == list(range(60))
