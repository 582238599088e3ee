"""The pictures of a study: the numbers of its documents, and equal pictures for equal documents."""

from collections.abc import Sequence
from typing import Any

import pytest
from report_tree import ADDRESSES, write_everything

from finetune_alf.figures.forest import ForestRow
from finetune_alf.paths import Paths
from finetune_alf.report.load import load_results
from finetune_alf.report.views import TransferFindings, View, study_views

ROW = ForestRow("gadgets", "alf-1", 0.0212, -0.01, 0.0524, n_texts=72, n_seeds=5, p=0.0004, verdict="better")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return write_everything(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def views(paths: Paths) -> dict[str, View]:
    return by_name(shown(paths))


def shown(paths: Paths) -> Sequence[View]:
    return study_views(load_results(paths)[0], TransferFindings(differences=(ROW,)))


def by_name(views: Sequence[View]) -> dict[str, View]:
    return {view.name: view for view in views}


def rows_with(view: View, field: str) -> list[dict[str, Any]]:
    """Return the rows of the picture's one table with a field."""
    (rows,) = [rows for rows in view.picture.spec["datasets"].values() if field in rows[0]]
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
