"""The figures of a sweep: levels in order, on an axis that all lines share; equal records give equal pictures."""

import pytest
from planted_sweeps import seeds_estimate

from finetune_alf.experiments.freeze.figure import (
    differences_by_level,
    level_panels,
    score_against_seconds,
    scores_by_level,
)

SAMPLES = {
    "sst2": {
        "bert": {"none": seeds_estimate(0.9), "12": seeds_estimate(0.5), "6": seeds_estimate(0.8)},
        "roberta": {"none": seeds_estimate(0.9), "9": None},
    },
    "cola": {"bert": {"none": None, "6": seeds_estimate(0.1)}},
}
POINTS = {"sst2": {"none": (9.0, 0.9), "6": (6.0, 0.8), "12": (7.0, 0.5)}, "cola": {}}


def test_levels_go_from_the_least_frozen_up_and_an_axis_has_those_of_all_its_lines():
    sst2, cola = level_panels(SAMPLES)
    assert sst2.levels == ("none", "6", "9", "12")
    assert dict(sst2.lines) == {
        "bert": (seeds_estimate(0.9), seeds_estimate(0.8), None, seeds_estimate(0.5)),
        "roberta": (seeds_estimate(0.9), None, None, None),
    }
    assert (cola.levels, cola.lines[0][1][0]) == (("none", "6"), None)


def test_equal_records_give_equal_pictures():
    assert scores_by_level(SAMPLES) == scores_by_level(SAMPLES)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: differences_by_level(SAMPLES),
        lambda: score_against_seconds(POINTS, {"sst2": ("none", "6"), "cola": ()}),
        lambda: scores_by_level({}),
    ],
    ids=["two panels", "a sample without points", "nothing"],
)
def test_all_records_can_be_drawn(draw):
    assert draw().png().startswith(b"\x89PNG")
