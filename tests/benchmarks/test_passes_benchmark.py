"""The comparison of optimizer steps: all ways train the same, and ratios are those within a round."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from passes import N_STEPS, WAYS, measure, table

from finetune_alf.encoder.load import load_encoder
from finetune_alf.recipe import AdamW
from finetune_alf.train.parts import TaskSplits
from tiny import tiny_recipe, tiny_spec, tokenized_split


@pytest.mark.parametrize("clip", [None, 0.01])
def test_every_way_trains_the_same(clip):
    encoder = load_encoder(tiny_spec(), n_labels=2)
    split = tokenized_split(encoder)
    recipe = tiny_recipe(epochs=N_STEPS, batch=len(split), optimizer=AdamW(), clip=clip)
    found = measure(encoder, TaskSplits(split, split, split), recipe, n_rounds=1)
    losses = {way: own for way, ((_, own),) in found.items()}
    assert min(seconds for fits in found.values() for seconds, _ in fits) > 0
    assert len(losses["today"]) == N_STEPS
    assert losses["today"] == losses["kept"] == losses["by group"]
    assert losses["in AdamW"] == pytest.approx(losses["today"], rel=1e-4)
    assert set(losses) == set(WAYS)


def test_ratios_are_medians_of_those_within_a_round():
    today = [(0.1, [1.0]), (0.2, [1.0]), (0.4, [1.0])]
    other = [(0.2, [1.0]), (0.3, [1.0]), (0.4, [1.5])]
    assert table({"today": today, "other": other}).splitlines()[2:] == [
        "| today | 200.0 | 1.000 | yes |",
        "| other | 300.0 | 1.500 | no |",
    ]
