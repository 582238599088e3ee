"""Kinds of charts: where their marks are, what they say in words, and that no earlier chart changes them."""

import json

import pytest

from finetune_alf.figures.bars import Bar, BarsStyle, bars
from finetune_alf.figures.dots import Dot, dots
from finetune_alf.figures.intervals import Interval, IntervalsStyle, Mark, intervals
from finetune_alf.figures.line_points import Level, LinePoint, LinesStyle
from finetune_alf.figures.lines import lines
from finetune_alf.figures.scatter import ScatterStyle, Spot, scatter

BY_STEP = LinesStyle(x="step", y="error")
SCORES = IntervalsStyle(x="score", labels=("fixed", "head"))


def rows(picture, kind: str) -> list[dict]:
    return [row for row in picture.spec["datasets"]["rows"] if row.get("kind") == kind]


PICTURES = {
    "lines": lambda: lines([LinePoint("a", 1, 0.5), LinePoint("a", 2, 0.4)], BY_STEP, "view", "Error by step."),
    "intervals": lambda: intervals([Interval("fixed", "fixed", 0.8, 0.7, 0.9)], SCORES, "view", "Scores."),
    "bars": lambda: bars([Bar("head", "mdi", 0.3)], BarsStyle("share", ("head",)), "view", "Shares."),
    "dots": lambda: dots([Dot("a", 0.5, "films"), Dot("a", 0.7, "films")], ["a"], "score", "view", "Scores."),
    "scatter": lambda: scatter([Spot("a", 3.0, 0.5)], ScatterStyle("seconds", "score"), "view", "Scores."),
}


@pytest.mark.parametrize("draw", PICTURES.values(), ids=PICTURES)
def test_equal_records_give_equal_specs_whose_view_has_the_given_name_and_hover(draw):
    picture = draw()
    assert picture.spec == draw().spec
    assert picture.spec["name"] == "view"
    assert '"view_' not in json.dumps(picture.spec)
    assert "tooltip" in json.dumps(picture.spec)


def test_a_line_has_marks_on_some_of_many_points_and_says_its_ends():
    picture = lines([LinePoint("2e-5", step, step / 100) for step in range(50)], BY_STEP, "view", "Error by step.")
    assert [row["at"] for row in rows(picture, "point") if row["is_marked"]] == list(range(0, 50, 4))
    assert picture.text == "Error by step. 2e-5: from 0.000 at 0 to 0.490 at 49."


def test_a_name_of_several_parts_has_a_line_for_each():
    style = IntervalsStyle(x="score", labels=("gradual, slanted triangular",))
    found = intervals([Interval("gradual, slanted triangular", "none", 0.8)], style, "view", "").svg()
    assert ">gradual<" in found
    assert ">slanted triangular<" in found


def test_intervals_of_lines_lie_side_by_side_and_hover_shows_the_true_place():
    style = LinesStyle(x="texts", y="score", x_scale="log", x_ticks=(32, 64), intervals="bars")
    points = [LinePoint(series, n, 0.5, 0.4, 0.6) for series in ("a", "b") for n in (32, 64)]
    drawn = rows(lines(points, style, "view", ""), "point")
    assert len({row["at"] for row in drawn}) == 4
    assert [row["x"] for row in drawn] == ["32", "64", "32", "64"]
    assert drawn[0]["shown"] == "0.500 [0.400, 0.600]"


def test_a_line_without_a_value_has_a_gap_and_a_level_is_said():
    points = [LinePoint("a", 1, None, panel="films"), LinePoint("a", 2, 0.4, panel="films")]
    picture = lines(points, BY_STEP, "view", "", [Level("one class", 0.5, panel="films")])
    assert [row["y"] for row in rows(picture, "point")] == [None, 0.4]
    assert picture.text.strip() == "films, a: 0.400 at 2; films, one class: 0.500."


def test_one_panel_is_a_chart_alone_with_a_title_and_several_are_side_by_side():
    one = intervals([Interval("fixed", "fixed", 0.8, panel="films")], SCORES, "view", "")
    two = intervals([Interval("fixed", "fixed", 0.8, panel=name) for name in ("films", "sst2")], SCORES, "view", "")
    assert (one.spec["title"], "facet" in one.spec) == ("films", False)
    assert (two.spec["facet"]["sort"], two.spec["columns"]) == (["films", "sst2"], 2)


def test_a_point_alone_is_in_the_middle_of_its_row_and_several_are_around_it():
    found = intervals(
        [Interval("fixed", "none", 0.8), Interval("fixed", "lora", 0.9), Interval("head", "none", 0.7)],
        SCORES, "view", "Scores.", [Mark("the baseline", 0.8)],
    )  # fmt: skip
    assert [row["place"] for row in rows(found, "interval")] == [0.25, 0.75, 0.5]
    assert found.text == "Scores. fixed, none 0.800; fixed, lora 0.900; head, none 0.700; the baseline 0.800."


def test_a_margin_is_a_band_around_zero_in_each_panel():
    style = IntervalsStyle(x="points", labels=("all",), has_zero=True, margin=1.0)
    found = intervals([Interval("all", "all", 0.5, panel=panel) for panel in "ab"], style, "view", "")
    assert [(row["panel"], row["low"], row["high"]) for row in rows(found, "margin")] == [("a", -1, 1), ("b", -1, 1)]
