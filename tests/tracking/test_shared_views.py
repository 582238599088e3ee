"""The named views of an experiment."""

import base64
import json
import zlib
from pathlib import Path

from finetune_alf.tracking.links import run_link, runs_link, server_address, version_link
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.views import VIEW_TAG, Columns, view_tags

TWO = Columns(("embeddings", "layer.0", "head"), ("accuracy",), ("accuracy",))
DEEP = Columns(("embeddings", *(f"layer.{index}" for index in range(24)), "head"), ("f1",), ("f1",))


def state_of(tag: str) -> dict:
    envelope = json.loads(tag)
    assert {"name", "createdAt", "updatedAt", "state"} <= envelope.keys()
    packed = envelope["state"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_the_view_of_trials_is_by_score_with_a_column_for_each_rate() -> None:
    state = state_of(view_tags(TWO, 1)[f"{VIEW_TAG}trials"])
    assert state["orderByKey"] == "metrics.`score/validation.accuracy`"
    assert state["selectedColumns"][1:] == [
        "params.`rates.embeddings`",
        "params.`rates.layer.0`",
        "params.`rates.head`",
    ]
    (parallel,) = [chart for chart in state["compareRunCharts"] if chart["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["rate_log10/embeddings", "rate_log10/layer.0", "rate_log10/head"]


def test_views_of_a_deep_encoder_and_several_metrics_fit_into_a_tag_of_mlflow() -> None:
    both = TWO.joined(DEEP)
    assert both.addresses == DEEP.addresses
    assert both.trials == ("accuracy", "f1")
    assert max(len(tag) for tag in view_tags(both, 1_800_000_000_000).values()) < 2_500


def test_an_experiment_ships_three_views_of_all_its_studies(root: Path) -> None:
    tracker = MlflowTracker(root)
    for columns in (TWO, Columns(transfer=("accuracy",)), DEEP):
        tracker.show_columns(columns)
    experiment = tracker.client.get_experiment(tracker.experiment_id)
    views = {key.removeprefix(VIEW_TAG): tag for key, tag in experiment.tags.items() if key.startswith(VIEW_TAG)}
    assert views.keys() == {"trials", "confirmation", "transfer"}
    assert len(state_of(views["trials"])["selectedColumns"]) == 2 + 26
    assert state_of(views["transfer"])["orderByKey"] == "metrics.`score/test.accuracy`"
    assert runs_link("http://here", experiment).endswith("machine_learning&viewStateShareKey=trials")
    assert "viewStateShareKey" not in runs_link("http://here", tracker.client.get_experiment("0"))


def test_addresses_are_those_of_a_servers_pages_without_its_credentials() -> None:
    server = server_address("https://me:secret@here/mlflow/?token=x")
    assert server == "https://here/mlflow"
    assert run_link(server, "ab12") == "https://here/mlflow/#/runs/ab12"
    assert version_link(server, "alf-my.study", 3) == "https://here/mlflow/#/models/alf-my.study/versions/3"
    assert server_address("sqlite:///mlruns/mlflow.db") is None
    assert server_address(None) is None
