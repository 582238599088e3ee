"""The freezing benchmark: ratios to the full model, and the verdict of the level with the largest error."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from freeze_cost import _from_ends, main, rows, table

from finetune_alf.cost.work import Work

SECONDS = {"none": [2.1, 2.0, 1.9], "3": [1.0, 1.1, 0.9], "6": [0.4, 0.5, 0.6]}
OPERATIONS = {"none": 6e9, "3": 3e9, "6": 1.5e9}


def levels(planned):
    return rows(SECONDS, {"plan": planned, "ends": OPERATIONS, "operations": OPERATIONS})


def document(planned):
    about = {"cpu": "a processor", "n_cores": 2, "n_threads": 2, "precision": "bf16"}
    head = {"started": "today", "machine": about, "encoder": "x", "n_train": 192, "n_validation": 64, "seconds": 60.0}
    return head | {"rounds": 3, "epochs": 2, "frozen_dropout": "on", "levels": levels(planned)}


def test_ratios_are_of_medians_to_the_full_model_and_of_predictions_to_its_own():
    none, half, all_of_it = levels({"none": 4.0, "3": 2.2, "6": 1.0})
    assert [own["ratio"] for own in (none, half, all_of_it)] == pytest.approx([1, 0.5, 0.25])
    assert (half["predicted"]["operations"], half["predicted"]["plan"]) == pytest.approx((0.5, 0.55))
    assert (half["error"]["operations"], half["error"]["plan"]) == pytest.approx((0.0, 0.1))
    assert (set(none["error"].values()), all_of_it["min_s"]) == ({0.0}, 0.4)


@pytest.mark.parametrize(("planned", "verdict"), [(1.0, "within 25% at every level"), (1.4, "NOT within 25%")])
def test_the_verdict_is_that_of_the_largest_error(planned, verdict):
    page = table(document({"none": 4.0, "3": 2.0, "6": planned}))
    assert f"By plan: {verdict}" in page
    assert "By operations: within" in page
    assert page.count("| 6 |") == 1


@pytest.mark.parametrize("words", [["--epochs", "1"], ["--rounds", "0"]])
def test_too_few_epochs_or_rounds_are_refused(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["freeze_cost.py", *words])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--epochs, --rounds: must be at least 2 and 1" in capsys.readouterr().err


def test_predictions_between_the_ends_include_operations_and_layers_run():
    works = {
        level: Work(train_flops=own, train_calls=calls, evaluation_calls=1.0)
        for (level, own), calls in zip(OPERATIONS.items(), (99.0, 70.0, 49.0), strict=True)
    }
    seconds = {level: [work.train_flops / 1e9 + (work.train_calls + 1) / 100] for level, work in works.items()}
    assert _from_ends(works, seconds)["3"] == pytest.approx(seconds["3"][0])
