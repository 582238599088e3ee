"""Texts with any number of classes through the commands: a table, a study, a transfer, a classifier, and labels."""

import csv
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from finetune_alf.classifier.folder import load_classifier
from finetune_alf.classifier.pyfunc import LoadedClassifier
from finetune_alf.cli.entry import group
from finetune_alf.data.all_texts import with_all_texts
from finetune_alf.data.sample import load_sample
from finetune_alf.experiments.fit.document import FitDocument
from finetune_alf.experiments.registry import load_params
from finetune_alf.experiments.transfer.cells import TransferLine
from finetune_alf.experiments.transfer.document import TransferDocument
from finetune_alf.json_files import read_json, read_jsonl
from finetune_alf.metrics import majority_baseline, sample_metric
from finetune_alf.paths import Paths
from tiny import save_tiny

pytestmark = pytest.mark.long  # every stage, for a metric of their own

PARAMS = """
project: small
compute: {n_threads: 1, precision: fp32}
encoders:
  tiny: {kind: folder, path: encoder}
samples:
  tags:
    source: {kind: files, train: tags.csv, text: text, label: tags, label_separator: ";"}
    problem_type: multi_label
    n_train: 60
    n_validation: 20
    n_confirmation: 20
    n_test: 30
    max_train_frac: 1
studies:
  tags:
    encoder: tiny
    sample: tags
    metric: micro_f1
    space: {kind: choices, rates: [0, 1e-3, 1e-2]}
    pruner: median
    enqueue: [baseline]
    seed: 3
    recipe: {rates: {kind: uniform, rate: 1e-2, head: 3e-2}, allow_forgetting: true, batch: 10, epochs: 2,
             max_tokens: 16}
    n_trials: 3
importance: {n_resamples: 2}
register: {n_top: 2, n_seeds: 1, min_distance: 0.3}
transfer:
  studies: [tags]
  samples: [tags]
  schemes: [baseline, alf-1, {kind: probe, n_folds: 2}, {kind: tfidf, n_folds: 2}]
  n_seeds: 1
fit:
  tags: {scheme: baseline}
"""
WORDS = {"warm": "très chaud", "sad": "sad", "kind": "kind"}
NAMES = ("kind", "sad", "très chaud")


def write_table(path: Path) -> None:
    """Write texts whose classes are the words in them."""
    draw = random.Random(2)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "tags"])
        for number in range(130):
            words = [word for word in WORDS if draw.random() < 0.45]
            fillers = draw.sample(["day", "meal", "people", "here", "bread", "words", "a", "and"], 4)
            text = draw.sample([*words, *fillers], len(words) + 4)
            rows.writerow([f"{' '.join(text)} {number}", ";".join(WORDS[word] for word in words)])


def run(*words: str) -> str:
    done = CliRunner().invoke(group, list(words))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def paths(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project whose stages ran through the command line."""
    root = tmp_path_factory.mktemp("several") / "project"
    shutil.copytree(empty_store, root)
    (root / "params.yaml").write_text(PARAMS)
    save_tiny(root / "encoder")
    write_table(root / "tags.csv")
    for words in (["params", "check"], ["prepare"], ["study"], ["register"], ["transfer"], ["fit"], ["report"]):
        run(*words, "--root", str(root))
    return Paths(root)


def test_a_study_is_searched_and_confirmed_by_the_micro_f1(paths: Paths) -> None:
    trials = read_jsonl(paths.study_results("tags") / "trials.jsonl")
    assert len(trials) == 3
    for trial in trials:
        scores = [epoch["validation_score"] for epoch in trial["result"]["epochs"]]
        assert trial["score"] == trial["result"]["score"] == scores[-1]
        assert trial["result"]["accuracy"] is None
    lock = read_json(paths.schedules("tags"))
    assert lock["metric"] == "micro_f1"
    for candidate in lock["candidates"]:
        assert candidate["low"] <= candidate["mean"] <= candidate["high"]


def test_a_transfer_compares_the_micro_f1_of_sets_that_were_predicted(paths: Paths) -> None:
    metric, path = sample_metric("micro_f1", 3), paths.document("transfer", "tags", "tags")
    document, kept = TransferDocument.read(path), read_json(path.with_suffix(".predictions.json"))
    truth = [tuple(one) for one in kept["truth"]]
    assert document.sample.majority_baseline == majority_baseline(metric, truth) > 0
    assert set(document.schemes) == {"baseline", "alf-1", "probe", "tfidf"}
    for scheme, result in document.schemes.items():
        rows = [[tuple(one) for one in row] for row in kept["predictions"][scheme].values()]
        assert result.score.mean == pytest.approx(np.mean([metric(truth, row) for row in rows]))
        assert (result.accuracy, result.balanced_accuracy) == (None, None)
        assert (result.difference is None) == (scheme == "baseline")
    assert document.schemes["tfidf"].score.mean > 0.9
    assert {cell.accuracy for cell in TransferLine.read_lines(paths.cells("transfer", "tags", "tags"))} == {None}


def test_the_report_shows_the_micro_f1_and_no_accuracy(paths: Paths) -> None:
    text = (paths.report / "report.md").read_text()
    assert "**Test micro f1**" in text
    assert "**Accuracy**" not in text
    assert "60 train / 20 validation" in text


def test_a_saved_classifier_scores_as_its_fit_and_transformers_gives_its_sigmoids(paths: Paths) -> None:
    from transformers import pipeline

    folder = paths.model("tags")
    document, classifier = FitDocument.read(paths.document("fit", "tags")), load_classifier(folder)
    assert (classifier.label_names, classifier.problem_type) == (NAMES, "multi_label")
    assert document.calibration.n_texts == 30
    assert document.calibration.error_after >= 0
    texts = ["warm sad meal", "a day", "kind words here"]
    ours = 1 / (1 + np.exp(-classifier.logits(texts)))
    theirs = pipeline("text-classification", str(folder), top_k=None)(texts)
    for scores, row in zip(theirs, ours, strict=True):
        by_name = {each["label"]: each["score"] for each in scores}
        assert [by_name[name] for name in NAMES] == pytest.approx(row.tolist(), abs=1e-5)
    card = (folder / "README.md").read_text()
    assert "any number of" in card
    assert "top_k=None" in card


def test_predict_joins_the_classes_of_a_text_and_gives_each_its_probability(paths: Paths, tmp_path: Path) -> None:
    table = tmp_path / "new.csv"
    table.write_text("id,text\n1,warm and sad people\n2,\n3,a day\n4,kind warm words\n")
    run("predict", "tags", str(table), "--out", str(tmp_path / "out.jsonl"), "--root", str(paths.root))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    classifier = load_classifier(paths.model("tags"))
    expected = classifier.probabilities([row["text"] for row in rows if row["text"]])
    for row, probabilities in zip([row for row in rows if row["text"]], expected, strict=True):
        own = [row[f"probability.{name}"] for name in NAMES]
        assert own == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert row["label"] == ";".join(name for name, one in zip(NAMES, own, strict=True) if one > 0.5)
        assert row["probability"] == pytest.approx(np.prod([max(one, 1 - one) for one in own]), abs=1e-6)
    assert (rows[1]["label"], rows[1]["probability.sad"]) == (None, None)


def test_a_fit_on_all_texts_counts_rows_and_classes(paths: Paths) -> None:
    sample = load_sample(paths.sample("tags"))
    spec = load_params(paths.root / "params.yaml").samples["tags"]
    whole = with_all_texts(sample, spec, paths.root)
    assert whole.card.counts["train"] == {"rows": 100}
    assert whole.card.class_counts is not None
    assert whole.card.class_counts["train"]["sad"] == sum(1 in own for own in whole.splits["train"].labels)


def test_a_registered_model_gives_what_predict_gives(paths: Paths) -> None:
    classifier = load_classifier(paths.model("tags"))
    texts = ["warm and sad people", "a day"]
    found = LoadedClassifier(classifier).predict(pd.DataFrame({"text": texts}))
    assert found.to_numpy().tolist() == [list(row) for row in classifier.answers(classifier.probabilities(texts))]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "metric: micro_f1",
            "metric: matthews",
            "studies.tags.metric: must be micro_f1 or macro_f1 or subset_accuracy",
        ),
        ("metric: micro_f1", "metric: accuracy", "as the labels of sample tags are sets of classes, but got accuracy"),
        ("    problem_type: multi_label\n", "    problem_type: multi_label\n    balance: even\n", "must be natural"),
        (
            "max_tokens: 16}",
            "max_tokens: 16, pooling: mean, objective: {kind: contrastive}}",
            "studies.tags.recipe.objective: must be absent, as the labels of sample tags are sets of classes",
        ),
        (
            "alf-1, {kind: probe",
            "contrastive, {kind: probe",
            "must have classes for the scheme contrastive, but tags has sets of",
        ),
    ],
)
def test_what_several_classes_cannot_have_is_refused_before_anything_runs(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS.replace(old, new, 1))
    told = CliRunner().invoke(group, ["params", "check", "--root", str(tmp_path)])
    assert told.exit_code == 3
    assert message in told.stderr
