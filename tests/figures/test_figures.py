"""Figures: equal pictures for equal records, of a readable size, and what they say in words."""

import json
import re
import struct
import subprocess
import sys

import pytest

from finetune_alf.figures.chosen_curves import TrialCurve, chosen_curves
from finetune_alf.figures.curves import Curve, learning_curves
from finetune_alf.figures.search import search_chart
from finetune_alf.figures.search_info import SearchInfo
from finetune_alf.figures.signed_importance import Direction, Share, signed_importance
from finetune_alf.figures.strip import schedule_strip, strip_cells
from finetune_alf.figures.trial_table import TrialRow
from finetune_alf.figures.trials import trials_chart
from finetune_alf.rates import LayerRates

SHARES = (
    Share("embeddings", "fanova", 0.3, 0.1, 0.4, 0.6),
    Share("layer.0", "fanova", 0.7, 0.75, 0.9, 0.5),  # a mean outside its range is drawn
    Share("layer.0", "mdi", 1.0, 1.0, 1.0, 1.0),
)
RATES = {
    "baseline": LayerRates.of(2e-5, [2e-5] * 11, 2e-5),
    "alf-1": LayerRates.of(0, [2e-10, 0, *[2e-6] * 9], 2e-5),
    "shallow": {"embeddings": 1e-5, "layer.0": 0.0, "head": 1e-3},
}
ADDRESSES = ("embeddings", "layer.0", "head")
TRIALS = tuple(
    TrialRow(number, (1e-5, 0.0, 1e-3), score, "failed" if score is None else "complete", name)
    for number, score, name in ((2, 0.7, ""), (0, 0.6, "baseline"), (1, None, ""), (3, 0.65, ""))
)
SEARCH = SearchInfo("validation accuracy", ADDRESSES, TRIALS, baseline=0.6)
CURVES = (Curve("alf-1", (0, 1), (0.7, 0.5), (0.6, None), (0.5, None)), Curve("alf-2", (0,), (0.7,), (0.6,), (0.5,)))
TRIAL_CURVES = (TrialCurve(0, (0.5, None), (0.7, 0.6), "alf-1"), TrialCurve(4, (0.6, 0.7), (0.8, None)))

DRAWINGS = {
    "importance": lambda: signed_importance(SHARES, [Direction("embeddings", "higher", 0.4)]),
    "no importance": lambda: signed_importance((), (), "it takes 8 trials"),
    "rates": lambda: schedule_strip(strip_cells(RATES)),
    "all frozen": lambda: schedule_strip(strip_cells({"none": dict.fromkeys(ADDRESSES, 0.0)})),
    "search": lambda: search_chart(SEARCH),
    "no score": lambda: search_chart(SearchInfo("validation accuracy", ADDRESSES, TRIALS[2:3])),
    "trials": lambda: trials_chart(TRIALS, ADDRESSES, "validation accuracy"),
    "curves": lambda: learning_curves(CURVES),
    "curves of trials": lambda: chosen_curves(TRIAL_CURVES, "score", "validation accuracy", "score_curves"),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_equal_records_give_equal_pictures_of_a_readable_size(draw):
    picture = draw()
    assert picture == draw()
    names = re.findall(r'"data": {"name": "(\S+)"}', json.dumps(picture.spec))
    assert set(names) <= set(picture.spec["datasets"])
    png = picture.png()
    assert png == draw().png()
    width, height = struct.unpack(">II", png[16:24])
    assert width >= 1000
    assert height >= 80


def test_a_picture_says_the_numbers_that_matter():
    texts = {name: draw().text for name, draw in DRAWINGS.items()}
    assert "4 trials, 3 with a score. The best is trial 2 with 0.700. Plain fine-tuning scored 0.600" in texts["search"]
    assert "1 trial, 0 with a score." in texts["no score"]
    assert "alf-1: 2 of 13 addresses frozen (embeddings 0, layer.0 2e-10, layer.1 0," in texts["rates"]
    assert "none: 3 of 3 addresses frozen" in texts["all frozen"]
    assert "loss, alf-1, training: from 0.700 at 0 to 0.500 at 1;" in texts["curves"]
    assert "alf-1 (trial 0): 0.500, none." in texts["curves of trials"]


def test_addresses_are_ordered_from_the_input_up_and_shallower_schedules_have_gaps():
    spec = schedule_strip(strip_cells(RATES)).spec
    assert spec["layer"][0]["encoding"]["x"]["sort"] == ["embeddings", *(f"layer.{i}" for i in range(11)), "head"]
    shallow = [row["address"] for row in spec["datasets"]["cells"] if row["schedule"] == "shallow"]
    assert shallow == ["embeddings", "layer.0", "head"]


def test_curves_have_gaps_for_missing_values():
    rows = [row for own in learning_curves(CURVES[:1]).spec["datasets"].values() for row in own]
    shown = {(row["panel"], row["stroke"]): [] for row in rows if row["kind"] == "point"}
    for row in rows:
        if row["kind"] == "point":
            shown[row["panel"], row["stroke"]].append(row.get("y"))
    assert shown == {
        ("loss", "training"): [0.7, 0.5],
        ("loss", "validation"): [0.6, None],
        ("validation accuracy", "validation"): [0.5, None],
    }


def test_altair_is_not_imported_before_the_first_figure():
    program = "import sys, finetune_alf.figures.search; sys.exit('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
