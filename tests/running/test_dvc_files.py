"""What DVC shows: a few flat numbers a stage, and rows that its templates draw."""

import json
from pathlib import Path
from typing import Any

import pytest

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock
from fake_results import fake_result, fake_trial
from finetune_alf.json_files import read_jsonl
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.running.dvc_files import (
    curve_rows,
    history_rows,
    importance_rows,
    schedule_rows,
    write_register_files,
    write_study_files,
)
from finetune_alf.schedules import Schedule
from finetune_alf.starting.dvc_text import plot_templates
from finetune_alf.study.documents import ImportanceShare, LayerImportance
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.result import EpochMetrics

BASELINE = LayerRates.of(5e-5, [5e-5, 5e-5], 1e-3)
FROZEN = LayerRates.of(0, [5e-8, 1e-4], 1e-3)
SCORES = (0.7, None, 0.8, 0.75)


def trial(number: int, score: float | None) -> TrialRecord:
    record = fake_trial(number, BASELINE if number == 0 else FROZEN, score)
    losses = {"train_loss": 0.5, "validation_loss": 0.4, "validation_accuracy": score, "validation_score": score}
    epochs = tuple(EpochMetrics(epoch=epoch, seconds=1.0, ended_ms=0, **losses) for epoch in (0, 1))
    return record.model_copy(update={"result": fake_result(epochs=epochs, score=score)})


TRIALS = [trial(number, score) for number, score in enumerate(SCORES)]
CANDIDATE = fake_candidate(2, FROZEN, [0.8, 0.9], from_baseline=compared(0.05))
LOCK = fake_lock("mine", [CANDIDATE])
SHARE = ImportanceShare(mean=0.6, low=0.2, high=0.9, n_first=7, shuffled_mean=0.3, shuffled_high=0.5)
IMPORTANCE = LayerImportance(study="mine", n_trials=4, evaluators={"fanova": {"embeddings": SHARE, "layer.0": SHARE}})
ROWS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "history": (list(history_rows(TRIALS)), "trial", "score"),
    "curves": (list(curve_rows(TRIALS, BASELINE)), "epoch", "validation_score"),
    "importance": (list(importance_rows(IMPORTANCE)), "share", "address"),
    "schedules": (list(schedule_rows(LOCK)), "address", "schedule"),
    "transfer": ([{"scheme": "alf-1", "score": 0.8, "score_low": 0.7, "score_high": 0.9}], "score", "scheme"),
}


def test_numbers_are_few_flat_and_no_rates(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_study_files(paths, "mine", TRIALS, BASELINE)
    assert json.loads(paths.summary("study", "mine").read_text()) == {"trials": 4, "validation": 0.8}
    write_register_files(paths, LOCK, [])
    numbers = json.loads(paths.summary("register", "mine").read_text())
    assert list(numbers) == ["alf-1", *(["baseline"] if LOCK.references else []), "difference", "low", "high"]
    assert numbers["alf-1"] == pytest.approx(0.85)
    assert numbers["difference"] == 0.05


def test_each_registered_schedule_is_a_file_that_other_projects_read(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_register_files(paths, LOCK, [{"seed": 1}])
    files = sorted(path.name for path in paths.artifacts("mine").iterdir())
    assert files == [*(f"{alias}.json" for alias in LOCK.schedules), "fits.jsonl"]
    assert read_jsonl(paths.registration_fits("mine")) == [{"seed": 1}]
    assert Schedule.load(paths.artifacts("mine") / "alf-1.json") == LOCK.schedules["alf-1"].schedule


def test_the_history_has_the_best_so_far_and_trials_without_a_score() -> None:
    rows = ROWS["history"][0]
    assert [row["score"] for row in rows] == list(SCORES)
    assert [row["best"] for row in rows] == [0.7, 0.7, 0.8, 0.8]


def test_curves_are_those_of_the_best_trials_and_the_baseline() -> None:
    rows = ROWS["curves"][0]
    assert [(row["fit"], row["trial"], row["epoch"]) for row in rows[::2]] == [
        ("rank 1", 2, 1),
        ("rank 2", 3, 1),
        ("rank 3", 0, 1),
        ("baseline", 0, 1),
    ]


def test_rates_are_exact_and_written_as_in_params() -> None:
    rows = {row["address"]: row for row in ROWS["schedules"][0] if row["schedule"] == "alf-1"}
    assert (rows["embeddings"]["rate"], rows["embeddings"]["shown"]) == (0, "0")
    assert (rows["layer.0"]["rate"], rows["layer.0"]["shown"]) == (5e-8, "5e-8")


def test_an_importance_that_is_not_estimated_has_a_row_for_dvc() -> None:
    (row,) = importance_rows(LayerImportance(study="mine", n_trials=4, reason="4 trials are too few"))
    assert row["share"] is None


@pytest.mark.parametrize("name", sorted(ROWS))
def test_dvc_fills_each_template_and_vega_lite_takes_it(name: str) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    templates = pytest.importorskip("dvc_render.vega_templates")
    vega = pytest.importorskip("dvc_render.vega")
    rows, x, y = ROWS[name]
    template = templates.Template(json.loads(plot_templates()[f"plots/{name}.json"]), name)
    points = [{**row, "rev": rev, "filename": "a", "field": y} for rev in ("HEAD", "workspace") for row in rows]
    renderer = vega.VegaRenderer(points, name, template=template, x=x, y=y, title="A study", x_label=x, y_label=y)
    filled = renderer.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(filled)
    svg = vl_convert.vegalite_to_svg(filled)
    assert "A study" in svg
    for row in rows:
        if "shown" in row:
            assert f">{row['shown']}<" in svg
