"""Studies by another metric than the accuracy, of classes and of scores: a matter of params, through the commands."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from finetune_alf.cli.entry import group
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.json_files import read_json, read_jsonl
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.paths import Paths
from finetune_alf.schedules.pull import pull
from finetune_alf.tracking.mlflow import MlflowTracker
from finetune_alf.tracking.store import tracking_uri

pytestmark = pytest.mark.long  # every stage, for a metric of their own

PARAMS = """
project: small
compute: {n_threads: 1}
encoders:
  tiny:
    kind: random
    seed: 1
    config: {model_type: bert, vocab_size: 300, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2,
             intermediate_size: 32, max_position_embeddings: 32, initializer_range: 0.4}
samples:
  rte:
    source: {kind: glue, task: rte, files: rte}
    balance: natural
    n_train: all
    n_validation: 24
    n_confirmation: 20
    n_test: 30
    max_train_frac: 1
  sts:
    source: {kind: glue, task: stsb, files: "${TINY_TEXTS}/sts", label: score}
    n_train: all
    n_validation: 24
    n_confirmation: 20
    n_test: 30
    max_train_frac: 1
studies:
  rte: &study
    encoder: tiny
    sample: rte
    metric: matthews
    space: {kind: choices, rates: [0, 1e-3, 1e-2]}
    pruner: median
    enqueue: [baseline]
    seed: 3
    recipe: {rates: {kind: uniform, rate: 1e-2, head: 1e-2}, allow_forgetting: true, batch: 8, epochs: 4,
             max_tokens: 16}
    n_trials: 4
  sts: {<<: *study, sample: sts, metric: spearman}
importance: {n_resamples: 2}
register: {n_top: 2, n_seeds: 2, min_distance: 0.3}
transfer: {studies: [rte], samples: [rte], schemes: [baseline, alf-1], n_seeds: 2}
"""
METRIC = {"rte": "matthews", "sts": "spearman"}
WORDS = ["red", "blue", "green", "white", "black", "brown", "pink", "grey", "gold", "teal"]


def write_pairs(folder: Path, column: str) -> None:
    """Write pairs whose second text has more or fewer of the first five words: that is the score, and the class."""
    draw = random.Random(5)
    folder.mkdir()
    with (folder / "train.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sentence1", "sentence2", column])
        for number in range(114):
            n_first = draw.randint(0, 4)
            second = draw.sample(WORDS[:5], n_first) + draw.sample(WORDS[5:], 4 - n_first)
            label = f"{n_first + draw.random() / 4:.2f}" if column == "score" else str(int(n_first < 2))
            rows.writerow([f"{draw.choice(WORDS)} {number}", " ".join(second), label])


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project of two studies, all of its stages run through the command line."""
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(PARAMS)
    write_pairs(root / "rte", "label")
    write_pairs(root / "sts", "score")
    stages = [["prepare"], ["study"], ["register"], ["transfer"], ["transfer", "sts", "sts"], ["report"]]
    for words in [["params", "check"], *stages]:
        told = CliRunner().invoke(group, [*words, "--root", str(root)], env={"TINY_TEXTS": str(root)})
        assert told.exit_code == 0, told.output
    return Paths(root)


@pytest.mark.parametrize("name", METRIC)
def test_every_score_of_a_study_is_the_metric_of_what_was_predicted(paths: Paths, name: str) -> None:
    metric = METRIC[name]
    about = read_json(paths.study_results(name) / "study.json")
    assert about["metric"] == metric
    trials = read_jsonl(paths.study_results(name) / "trials.jsonl")
    done = [trial for trial in trials if trial["state"] == "complete"]
    assert len(trials) == 4
    for trial in done:
        scores = [epoch["validation_score"] for epoch in trial["result"]["epochs"]]
        assert trial["score"] == scores[-1] == trial["result"]["score"]
    assert len({trial["score"] for trial in done}) > 1
    best = read_json(paths.study_results(name) / "best.json")
    assert best["score"] == max(trial["score"] for trial in done)


@pytest.mark.parametrize("name", METRIC)
def test_confirmed_schedules_have_the_metric_with_an_interval(paths: Paths, name: str) -> None:
    lock = read_json(paths.schedules(name))
    assert lock["metric"] == METRIC[name]
    for candidate in lock["candidates"]:
        assert candidate["low"] <= candidate["mean"] <= candidate["high"]
        assert candidate["mean"] == pytest.approx(np.mean(candidate["scores"]))
    kept = pull(f"alf-small.{name}@alf-1", tracking_uri(paths.root), allow_forgetting=True).confirmed
    assert (kept.metric, kept.n_texts, kept.n_seeds) == (METRIC[name], 20, 2)


@pytest.mark.parametrize("name", METRIC)
def test_a_transfer_is_scored_and_compared_by_the_metric(paths: Paths, name: str) -> None:
    metric = METRIC[name]
    its_metric = sample_metric(metric, 0 if name == "sts" else 2)
    path = paths.document("transfer", name, name)
    document, predicted = TransferDocument.read(path), read_json(path.with_suffix(".predictions.json"))
    assert document.metric == metric
    assert document.sample.majority_baseline == majority_baseline(its_metric, predicted["truth"]) == 0.0
    for scheme, result in document.schemes.items():
        scores = [its_metric(predicted["truth"], row) for row in predicted["predictions"][scheme].values()]
        assert result.score.mean == pytest.approx(np.mean(scores))
        assert (result.accuracy is None) == (name == "sts")
        assert (result.difference is None) == (scheme == "baseline")
    cells = TransferLine.read_lines(paths.cells("transfer", name, name))
    assert {cell.scheme for cell in cells} == {"baseline", "alf-1"}
    assert all((cell.accuracy is None) == (name == "sts") for cell in cells)


def test_the_report_shows_the_metrics_tables_and_accuracies_beside_for_classes(paths: Paths) -> None:
    text = (paths.report / "report.md").read_text()
    studies, transfers = (
        dict(zip(METRIC, text.split(f"## {title} `")[1:], strict=True)) for title in ("Study", "Transfer of")
    )
    for name, metric in METRIC.items():
        best = read_json(paths.study_results(name) / "best.json")["score"]
        assert f"**validation {metric} {best:.3f}**".replace("0.", ".", 1) in studies[name]
        assert f"**Test {metric}**" in transfers[name]
    assert "**Accuracy**" in transfers["rte"]
    assert "accuracy" not in transfers["sts"].lower()


@pytest.mark.parametrize("name", METRIC)
def test_mlflow_shows_the_metric_of_trials_confirmations_and_cells(paths: Paths, name: str) -> None:
    tracker = MlflowTracker(paths.root, experiment="finetune_alf.small")
    runs = tracker.client.search_runs([tracker.experiment_id], f"tags.`alf.sample` = '{name}'", max_results=100)
    names = {metric for run in runs for metric in run.data.metrics}
    metric = METRIC[name]
    expected = {f"score/{split}.{metric}" for split in ("validation", "confirmation", "test")}
    assert expected | {"validation/score", "score/baseline", "score/baseline.low"} <= names
    assert ("validation/accuracy" in names) == (name == "rte")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metric: matthews", "metric: pearson", "studies.rte.metric: must be accuracy or balanced_accuracy or f1 or"),
        ("metric: spearman", "metric: f1", "studies.sts.metric: must be pearson or spearman, as the labels of sample"),
        (", metric: spearman", ", metric: accuracy", "of sample sts are scores, but got accuracy"),
        ("studies: [rte]", "studies: [rte, sts]", "transfer.samples.0: must have labels for the spearman of study sts"),
        ("metric: matthews", "metric: matthew", "studies.rte.metric: must be 'accuracy'"),
        ("max_train_frac: 1\n", "max_train_frac: 0.5\n", "max_train_frac: must be 1 where n_train is all"),
        (
            "max_tokens: 16}",
            "max_tokens: 16, pooling: mean, objective: {kind: contrastive}}",
            "studies.sts.recipe.objective: must be absent, as the labels of sample sts are scores",
        ),
        ("balance: natural", "balance: even", "n_train: must be a number where balance is even"),
    ],
)
def test_a_metric_and_labels_that_do_not_fit_are_told_before_anything_runs(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS.replace(old, new, 1))
    told = CliRunner().invoke(group, ["params", "check", "--root", str(tmp_path)])
    assert told.exit_code == 3
    assert message in told.stderr


def test_a_batch_is_not_held_to_a_number_of_texts_that_only_the_source_knows(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS.replace("batch: 8", "batch: 500"))
    assert load_params(tmp_path / "params.yaml").studies["rte"].recipe.batch == 500
