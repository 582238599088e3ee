"""Figures: the records that are drawn, equal pictures for equal records, and what they say in words."""

import json
import math
import re
import struct
import subprocess
import sys

import pytest

from finetune_alf.figures import (
    importance_bars,
    learning_curves,
    optimisation_history,
    rates_by_layer,
)
from finetune_alf.figures.curves import curves_info
from finetune_alf.figures.history import history_info
from finetune_alf.figures.importance import importance_info
from finetune_alf.figures.rates import rates_info
from finetune_alf.rates import LayerRates

IMPORTANCE = {
    "fanova": {
        "embeddings": {"mean": 0.3, "low": 0.1, "high": 0.4, "shuffled_high": 0.6},
        "layer.0": {"mean": 0.7, "low": 0.75, "high": 0.9, "shuffled_high": 0.5},  # a mean outside its range is drawn
    },
    "mdi": {"layer.0": {"mean": 1.0, "low": 1.0, "high": 1.0, "shuffled_high": 1.0}},
}
RATES = {
    "baseline": LayerRates.of(2e-5, [2e-5] * 11, 2e-5),
    "alf-1": LayerRates.of(0, [2e-10, 0, *[2e-6] * 9], 2e-5),
    "shallow": {"embeddings": 1e-5, "layer.0": 0.0, "head": 1e-3},
}
SCORES = {2: 0.7, 0: 0.6, 1: None, 3: 0.65}
EPOCHS = [
    {"epoch": 0, "train_loss": 0.7, "validation_loss": 0.6, "validation_accuracy": 0.5},
    {"epoch": 1, "train_loss": 0.5, "validation_loss": None, "validation_accuracy": None},
]

DRAWINGS = {
    "importance": lambda: importance_bars(IMPORTANCE),
    "no importance": lambda: importance_bars({}),
    "rates": lambda: rates_by_layer(RATES),
    "all frozen": lambda: rates_by_layer({"none": dict.fromkeys(("embeddings", "layer.0", "head"), 0.0)}),
    "history": lambda: optimisation_history(SCORES, "accuracy"),
    "no score": lambda: optimisation_history({0: None}),
    "curves": lambda: learning_curves([EPOCHS, EPOCHS[:1]], ["alf-1", "alf-2"]),
}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_equal_records_give_equal_pictures_of_a_readable_size(draw) -> None:
    picture = draw()
    assert picture == draw()
    names = re.findall(r'"data": {"name": "(\S+)"}', json.dumps(picture.spec))
    assert set(names) == set(picture.spec["datasets"])
    png = picture.png()
    assert png == draw().png()
    width, height = struct.unpack(">II", png[16:24])
    assert width >= 1000
    assert height >= 120


def test_a_picture_says_the_numbers_that_matter() -> None:
    texts = {name: draw().text for name, draw in DRAWINGS.items()}
    assert "0.600 to 0.700, first reached by trial 2. 1 without a score" in texts["history"]
    assert texts["no score"] == "No trial has a score. 1 without a score (failed or pruned)."
    assert "alf-1: 2e-10 to 2e-5; frozen: embeddings, layer.1." in texts["rates"]
    assert "none: nothing learns; frozen: embeddings, layer.0, head." in texts["all frozen"]
    assert "fanova: embeddings 0.300, layer.0 0.700." in texts["importance"]
    assert "loss, alf-1, training: from 0.700 at 0 to 0.500 at 1;" in texts["curves"]


def test_importance_has_a_bar_for_each_evaluator_and_address() -> None:
    info = importance_info(IMPORTANCE)
    assert info.addresses == ("embeddings", "layer.0")
    assert [(bars.evaluator, bars.means) for bars in info.bars] == [("fanova", (0.3, 0.7)), ("mdi", (0.0, 1.0))]
    assert info.bars[0].lows == (0.1, 0.75)
    assert info.bars[0].highs == (0.4, 0.9)
    assert [bars.shuffled for bars in info.bars] == [(0.6, 0.5), (0.0, 1.0)]


def test_rates_are_ordered_from_the_input_up_and_shallower_schedules_have_gaps() -> None:
    info = rates_info(RATES)
    assert info.addresses == ("embeddings", *(f"layer.{index}" for index in range(11)), "head")
    assert info.rates["shallow"] == (1e-5, 0.0, *[None] * 10, 1e-3)


def test_frozen_addresses_are_drawn_below_the_lowest_rate() -> None:
    info = rates_info(RATES)
    assert info.height(0.0) == info.floor
    assert info.height(2e-10) == 2e-10
    assert math.log10(2e-10 / info.floor) > 1


def test_an_address_that_barely_moves_is_pale_and_only_in_its_own_schedule() -> None:
    barely = {"alf-1": ("layer.0",)}
    assert rates_info(RATES, barely).barely == barely
    assert rates_by_layer(RATES, barely) != rates_by_layer(RATES)
    assert rates_by_layer(RATES, {"no such": ("layer.0",)}) == rates_by_layer(RATES)


def test_history_sorts_trials_and_keeps_the_best_so_far() -> None:
    info = history_info(SCORES)
    assert info.numbers == (0, 2, 3)
    assert info.scores == (0.6, 0.7, 0.65)
    assert info.best == (0.6, 0.7, 0.7)
    assert info.unscored == (1,)


def test_curves_have_gaps_for_missing_values() -> None:
    (curve,) = curves_info([EPOCHS], ["alf-1"])
    assert (curve.label, curve.epochs) == ("alf-1", (0, 1))
    assert curve.train_loss == (0.7, 0.5)
    assert curve.validation_score == (0.5, None)


def test_altair_is_not_imported_before_the_first_figure() -> None:
    program = "import sys, finetune_alf.figures; sys.exit('altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
