"""The figures of a freeze sweep: ordered levels, and equal PNGs for equal records."""

import pytest

from finetune_alf.experiments.freeze.figure import (
    level_panels,
    relative_by_level,
    score_against_seconds,
    scores_by_level,
)


def ends(mean):
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


SAMPLES = {
    "sst2": {"bert": {"none": ends(0.9), "12": ends(0.5), "6": ends(0.8)}, "roberta": {"none": ends(0.9), "9": None}},
    "cola": {"bert": {"none": None, "6": ends(0.1)}},
}
POINTS = {"sst2": {"none": (9.0, 0.9), "6": (6.0, 0.8), "12": (7.0, 0.5)}, "cola": {}}


def test_levels_are_ordered_by_frozen_layers_and_encoders_may_differ_in_them():
    sst2, cola = level_panels(SAMPLES)
    assert sst2.levels == ("none", "6", "9", "12")
    assert dict(sst2.lines) == {
        "bert": ((0.9, 0.8, 1.0), pytest.approx((0.8, 0.7, 0.9)), None, (0.5, 0.4, 0.6)),
        "roberta": ((0.9, 0.8, 1.0), None, None, None),
    }
    assert (cola.levels, cola.lines[0][1][0]) == (("none", "6"), None)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: scores_by_level(SAMPLES),
        lambda: relative_by_level({f"task {number}": SAMPLES["sst2"] for number in range(6)}),
        lambda: score_against_seconds(POINTS, {"sst2": ("none", "6"), "cola": ()}),
        lambda: scores_by_level({}),
    ],
    ids=["scores", "relative, two rows", "seconds", "nothing"],
)
def test_equal_records_give_equal_pngs(draw):
    assert draw() == draw()
    assert draw().startswith(b"\x89PNG")
