"""MLflow's list of runs in a real browser: the shipped view, over a store with two trials."""

import socket
from pathlib import Path
from typing import Any

import pytest

from finetune_alf.tracking import Metric, RunRecord
from finetune_alf.tracking.links import runs_link
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.pages import HOST, page_server
from finetune_alf.tracking.views import Columns


def trial(number: int) -> RunRecord:
    score = Metric("score/validation.accuracy", 0.5 + number / 10, 0, 2)
    params = {"rates.head": f"{number + 1}e-3"}
    return RunRecord(
        f"study/tiny/{number}",
        f"trial {number}",
        1,
        2,
        metrics=(score,),
        params=params,
        tags={"alf.trial": str(number)},
    )


@pytest.mark.long
def test_the_list_of_runs_opens_with_the_trials_by_score_and_their_rates(browser: Any, root: Path) -> None:
    tracker = MlflowTracker(root)
    tracker.show_columns(Columns(addresses=("head",), trials=("accuracy",)))
    parent = tracker.start_parent_run("study/tiny", "study tiny", {})
    for number in (0, 1):
        tracker.log_run(parent, trial(number))
    tracker.end_parent_run(parent, "FINISHED", {})
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    with page_server(tracker.uri, port), browser.new_context(viewport={"width": 1600, "height": 900}) as context:
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(runs_link(f"http://{HOST}:{port}", tracker.client.get_experiment(tracker.experiment_id)))
        for text in ("Trials by score", "trial 1", "trial 0", "rates.head"):
            page.get_by_text(text, exact=True).first.wait_for()
        assert "score/validation.accuracy" in page.get_by_test_id("sort-select-dropdown").inner_text()
        assert page.get_by_text("study tiny", exact=True).count() == 0
