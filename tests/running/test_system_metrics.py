"""The use of the machine as metrics of a parent run, where params.yaml asks for them."""

import time

import pytest

from finetune_alf.running.parent_run import open_tracker, parent_run
from finetune_alf.tracking.orders import Follow
from finetune_alf.tracking.replay import NoProgress
from finetune_alf.tracking.replay_process import follow
from finetune_alf.tracking.spool import new_spool
from finetune_alf.tracking.store import tracking_uri
from small_project import small_context

WANTED = {"project: small": "project: small\ntracking: {system_metrics: true}"}


class Monitor:
    """A monitor that measures nothing."""

    def finish(self):
        pass


class Channel(NoProgress):
    """The channel of a replay whose stage has ended."""

    def __init__(self):
        self.reports = []

    def report(self, kind, value=None):
        self.reports.append(kind)


@pytest.fixture
def monitored(monkeypatch):
    """The ids of the runs that this process starts a monitor for."""
    run_ids = []

    def start_monitor(uri, run_id):
        run_ids.append(run_id)
        return Monitor()

    monkeypatch.setattr("finetune_alf.tracking.mlflow.start_monitor", start_monitor)
    return run_ids


def test_a_run_that_an_earlier_start_has_left_gets_no_metrics_of_this_machine(root, monitored):
    ctx, paths = small_context(root, **WANTED), []
    for key in ("study/earlier", "study/own"):
        with new_spool(ctx.paths.spools, key) as spool:
            spool.start_parent_run(key, key, {})
            spool.end_parent_run(key, "FINISHED", {})
            paths.append(spool.path)
    follow(Follow(str(paths[1]), tracking_uri(root), "mine", "small", system_metrics=True), channel := Channel())
    tracker = Follow("", tracking_uri(root), "mine", "small").open_tracker()
    assert (paths[0].exists(), channel.reports) == (False, ["done"])
    assert monitored == [tracker.find_run("study/own")]


def test_the_process_that_trains_does_not_measure_the_machine_as_well(root, monitored):
    with parent_run(small_context(root, **WANTED), "study/tiny", "study tiny", {}, needs_store=True):
        pass
    assert monitored == []


@pytest.mark.parametrize("wanted", [True, False])
def test_a_parent_run_has_the_metrics_of_the_system_where_they_are_wanted(root, monkeypatch, wanted):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    ctx = small_context(
        root, **{"project: small": f"project: small\ntracking: {{system_metrics: {str(wanted).lower()}}}"}
    )
    tracker, found = open_tracker(ctx), {}
    with parent_run(ctx, "study/tiny", "study tiny", {}) as runs:
        deadline = time.monotonic() + (60 if wanted else 0)
        while not found and time.monotonic() < deadline:
            time.sleep(0.2)
            run_id = tracker.find_run(runs.key)
            found = tracker.client.get_run(run_id).data.metrics if run_id else {}
    found = tracker.client.get_run(tracker.find_run(runs.key)).data.metrics
    assert ("system/cpu_utilization_percentage" in found) == wanted
    assert all(name.startswith("system/") for name in found)
