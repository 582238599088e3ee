"""The pictures of a study: the numbers of its documents, and equal pictures for equal documents."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from math import atan2, degrees
from typing import Any

import pytest
from report_tree import ADDRESSES, write_everything

from finetune_alf.documents import Estimate
from finetune_alf.figures.chosen_curves import TrialCurve, chosen_curves
from finetune_alf.figures.confusion import Agreement
from finetune_alf.figures.forest import ForestRow
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.search_info import SearchInfo
from finetune_alf.figures.trial_table import TrialRow
from finetune_alf.paths import Paths
from finetune_alf.report.load import load_results
from finetune_alf.report.mistakes import Mistakes, mistake_views
from finetune_alf.report.view import View
from finetune_alf.report.views import TransferFindings, importance_view, study_views
from finetune_alf.study.documents import LayerImportance, RankCorrelation

ROW = ForestRow("gadgets", "alf-1", 0.0212, -0.01, 0.0524, n_texts=72, n_seeds=5, p=0.0004, verdict="better")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return write_everything(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def views(paths: Paths) -> dict[str, View]:
    return by_name(shown(paths))


def shown(paths: Paths) -> Sequence[View]:
    scores = {"baseline": Estimate(mean=0.7, low=0.6, high=0.8), "alf-1": Estimate(mean=0.76, low=0.7, high=0.82)}
    return study_views(load_results(paths)[0], TransferFindings((ROW,), scores))


def by_name(views: Sequence[View]) -> dict[str, View]:
    return {view.name: view for view in views}


def rows_with(view: View, *fields: str) -> list[dict[str, Any]]:
    """Return the rows of the picture's one table with these fields."""
    (rows,) = [rows for rows in view.picture.spec["datasets"].values() if rows[0].keys() >= set(fields)]
    return rows


def test_equal_documents_give_equal_pictures_with_names_of_their_own(paths, views) -> None:
    assert by_name(shown(paths)) == views
    assert [view.picture.spec["name"] for view in views.values()] == list(views)


def test_the_strip_has_the_rate_of_each_schedule_at_each_address(views) -> None:
    cells = rows_with(views["strip"], "address")
    assert {cell["address"] for cell in cells} == {*ADDRESSES, "head"}
    assert {"schedule": "baseline", "address": "layer.1", "rate": 5e-5, "shown": "5e-5"}.items() <= cells[2].items()
    frozen = [cell for cell in cells if cell["rate"] == 0]
    assert frozen
    assert all((cell["does"], cell["shown"]) == ("frozen", "0") for cell in frozen)


def test_the_forest_has_each_difference_with_what_it_is_over(views) -> None:
    assert rows_with(views["forest"], "low") == [
        {
            "sample": "gadgets",
            "scheme": "alf-1",
            "mean": 0.0212,
            "low": -0.01,
            "high": 0.0524,
            "difference": "+0.021 [-0.010, +0.052]",
            "texts": 72,
            "seeds": 5,
            "p": "< 0.001",
            "verdict": "better",
        }
    ]
    assert "gadgets: alf-1 +0.021 [-0.010, +0.052], better." in views["forest"].picture.text


@pytest.mark.parametrize(
    ("samples", "title"),
    [
        (("gadgets",), "Does it hold elsewhere?"),
        (("films", "gadgets"), "Does it hold elsewhere?"),
        (("films",), "Does it hold on the test texts?"),  # where it was searched
    ],
)
def test_the_forest_asks_of_the_samples_that_there_are(paths, samples: tuple[str, ...], title: str) -> None:
    findings = TransferFindings(tuple(replace(ROW, sample=sample) for sample in samples))
    assert by_name(study_views(load_results(paths)[0], findings))["forest"].title == title


def test_the_search_has_trials_band_and_the_way_of_each_registered_schedule(views) -> None:
    trials = rows_with(views["search"], "rates")
    assert trials[0] == {"trial": 0, "rates": "5e-5 5e-5 5e-5 5e-5 1e-3", "score": 0.72, "name": "baseline"}
    assert trials[2] == {"trial": 2, "rates": "5e-6 5e-5 0 2e-9 1e-3", "state": "failed"}
    (line,) = rows_with(views["search"], "baseline")
    assert (line["baseline"], line["low"], line["high"]) == (0.72, 0.6251, 0.7986)  # Wilson's interval for 100 texts
    path = {row["stage"]: row["mean"] for row in rows_with(views["search"], "shown") if row["scheme"] == "alf-1"}
    assert path == {"search": 0.81, "confirmed": 0.755, "test": 0.76}


def test_an_arrow_leads_from_the_search_score_to_the_confirmed_one_and_on_to_the_test_score(views) -> None:
    search = views["search"].picture
    (heads,) = (layer for layer in search.spec["layer"] if layer["data"] == {"name": "heads"})
    assert heads["mark"]["shape"].startswith("M0,-1L")
    own = [row for row in rows_with(views["search"], "run") if row["scheme"] == "alf-1"]
    assert [(row["stage"], row["mean"]) for row in own] == [("confirmed", 0.7825), ("test", 0.7575)]
    assert [(row["run"] > 0, row["rise"] > 0) for row in own] == [(True, False), (True, True)]


def test_the_head_of_an_arrow_points_along_its_line(views) -> None:
    picture = views["search"].picture
    turned = [float(angle) for angle in re.findall(r"rotate\(([\d.]+)\)\" d=\"M0,", picture.svg())]
    width, height = (picture.spec[side] for side in ("width", "height"))
    rows = rows_with(views["search"], "run")
    assert turned == pytest.approx(
        [90 + degrees(atan2(-row["rise"] * height, row["run"] * width)) for row in rows], abs=0.01
    )


def test_the_search_says_why_a_score_other_than_accuracy_has_no_band(paths) -> None:
    results = load_results(paths)[0]
    settings = results.search.settings.model_copy(update={"metric": "f1"})
    view = by_name(study_views(replace(results, search=replace(results.search, settings=settings))))["search"]
    (line,) = rows_with(view, "baseline")
    assert "low" not in line
    assert "It has no band of chance, since the spread of a single fit over other texts" in view.caption


def test_a_search_without_the_baseline_says_nothing_of_its_line(paths) -> None:
    results = load_results(paths)[0]
    trials = tuple(trial for trial in results.search.trials if trial.number != results.search.baseline_trial.number)
    view = by_name(study_views(replace(results, search=replace(results.search, trials=trials))))["search"]
    assert "Dashed" not in view.caption


def test_the_trials_are_one_row_each_and_so_are_their_curves(views) -> None:
    assert rows_with(views["trials"], "rates") == rows_with(views["search"], "rates")
    curves = rows_with(views["score_curves"], "values")
    assert [row["trial"] for row in curves] == [0, 1, 3, 4, 5]
    assert curves[0] == {"trial": 0, "values": [0.5, 0.565, 0.63, 0.694], "name": "baseline"}


def test_the_importance_stands_beside_what_can_be_said_of_its_direction(paths, views) -> None:
    shares, directions = rows_with(views["importance"], "chance"), rows_with(views["importance"], "sign")
    assert shares[2] == {
        "address": "layer.1", "evaluator": "fanova", "mean": 0.55, "low": 0.275, "high": 0.825, "chance": 0.4,
    }  # fmt: skip
    assert {direction["sign"] for direction in directions} == {"untested"}
    record = load_results(paths)[0].importance
    signs = (("layer.0", 0.1, 0.2), ("layer.1", 0.6, 0.001), ("layer.2", -0.6, 0.02), ("embeddings", None, None))
    direction = {address: RankCorrelation(rho=rho, p_holm=p) for address, rho, p in signs}
    tested = importance_view(record.model_copy(update={"direction": direction}))
    assert [row["shown"] for row in rows_with(tested, "sign")] == ["· +0.10", "▲ +0.60", "▼ -0.60", "–"]
    assert "layer.2: fanova 0.150 (0.075 to 0.225, chance 0.400)" in tested.picture.text
    assert "lower rates score higher (-0.60)" in tested.picture.text


def test_where_no_importance_was_estimated_the_picture_says_why() -> None:
    view = importance_view(LayerImportance(study="minilm", n_trials=3, reason="it takes 8 trials, and there are 3"))
    assert view.picture.text == "Too few to say: it takes 8 trials, and there are 3."
    assert view.picture.png().startswith(b"\x89PNG")


def test_each_scheme_has_its_confusion_the_first_schedule_first(paths) -> None:
    counts = {"baseline": ((4, 0), (2, 2)), "alf-1": ((2, 2), (0, 4))}
    agreements = (Agreement(("baseline", "alf-1"), 0.2), Agreement(("alf-1", "alf-1"), None))
    views = by_name(mistake_views(load_results(paths)[0], Mistakes(counts, agreements, 2, 4, 2)))
    assert views["confusion"].picture.text.startswith("alf-1: 6 of 8 right; 2 of class 0 taken for class 1.")
    assert rows_with(views["agreement"], "kappa") == [
        {"scheme": "baseline", "other": "alf-1", "kappa": 0.2},
        {"scheme": "alf-1", "other": "baseline", "kappa": 0.2},
        {"scheme": "alf-1", "other": "alf-1", "kappa": None},
    ]
    assert views["agreement"].picture.svg().count(">–<") == 1
    assert views["agreement"].picture.text.endswith("Cohen's kappa: baseline and alf-1 0.20; alf-1 undefined.")


def test_a_search_without_a_baseline_and_registered_trials_is_drawn_as_well() -> None:
    trials = (TrialRow(0, (0.0, 1e-3), 0.8), TrialRow(1, (1e-5, 1e-3), None, "pruned"))
    search = search_chart(SearchInfo("validation accuracy", ("embeddings", "head"), trials))
    curves = chosen_curves([TrialCurve(0, (0.7, 0.8), (None, 0.5))], "score", "validation accuracy", "curves")
    for picture in (search, curves):
        assert "NaN" not in picture.svg()[:400]


def test_the_rates_of_many_trials_take_little_room(paths) -> None:
    results = load_results(paths)[0]
    trials = [trial.model_copy(update={"number": n}) for n in range(1_000) for trial in results.search.trials[:1]]
    many = replace(results, search=replace(results.search, trials=tuple(trials)))
    sizes = [len(json.dumps(dict(view.picture.spec))) for view in study_views(many)]
    assert sum(sizes) < 400_000


def test_a_study_without_other_stages_has_the_pictures_of_its_search(paths) -> None:
    alone = replace(load_results(paths)[0], lock=None, importance=None)
    assert [view.name for view in study_views(alone)] == ["search", "trials", "score_curves", "loss_curves"]
