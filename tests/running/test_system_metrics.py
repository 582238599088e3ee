"""The use of the machine as metrics of a parent run, where params.yaml asks for them."""

import time

import pytest

from finetune_alf.running.parent_run import open_tracker, parent_run
from small_project import small_context


@pytest.mark.parametrize("wanted", [True, False])
def test_a_parent_run_has_the_metrics_of_the_system_where_they_are_wanted(root, monkeypatch, wanted):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    ctx = small_context(
        root, **{"project: small": f"project: small\ntracking: {{system_metrics: {str(wanted).lower()}}}"}
    )
    with parent_run(ctx, "study/tiny", "study tiny", {}) as runs:
        time.sleep(0.5)
    found = open_tracker(ctx).client.get_run(runs.parent_id).data.metrics
    assert ("system/cpu_utilization_percentage" in found) == wanted
    assert all(name.startswith("system/") for name in found)
