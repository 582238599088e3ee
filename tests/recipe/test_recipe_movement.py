"""What the rates of a recipe do: the bound of AdamW, the measured movement, and the word."""

import pytest

from finetune_alf.rates import BARELY, EMBEDDINGS, HEAD, TYPICAL_SIZE, LayerRates, Movement, UniformRates, layer
from finetune_alf.recipe import SGD, HoulsbyAdapter, Recipe, movements

RATES = LayerRates.of(0.0, [2e-9, 2e-5], 2e-5)
RECIPE = Recipe(rates=UniformRates(rate=2e-5), epochs=1, batch=8, max_tokens=16)


def test_under_adamw_the_largest_movement_is_rate_times_steps_over_the_mean_size() -> None:
    found = movements(RECIPE, RATES, 100, {layer(0): 0.05, layer(1): 0.02})
    assert found[EMBEDDINGS] == Movement(0.0, 0.0)
    assert found[layer(0)].largest == pytest.approx(2e-9 * 100 / 0.05)
    assert found[layer(1)].largest == pytest.approx(2e-5 * 100 / 0.02)
    assert found[HEAD].largest == pytest.approx(2e-5 * 100 / TYPICAL_SIZE)
    assert [one.word for one in found.values()] == ["frozen", "barely moves", "learns", "learns"]


def test_sgd_has_no_bound_and_no_word_before_it_is_measured() -> None:
    recipe = RECIPE.model_copy(update={"optimizer": SGD()})
    found = movements(recipe, RATES, 100, measured={layer(0): BARELY / 2})
    assert [one.word for one in found.values()] == ["frozen", "barely moves", None, None]
    assert str(found[layer(1)]) == "not known before it is measured"


def test_adapters_have_no_bound_because_they_start_at_almost_0() -> None:
    recipe = RECIPE.model_copy(update={"adapter": HoulsbyAdapter()})
    assert {one.largest for one in movements(recipe, RATES, 100).values()} == {None}


def test_the_measured_movement_decides_where_there_is_one() -> None:
    assert Movement(1e-6, largest=0.01, measured=0.001).word == "barely moves"
    assert str(Movement(1e-6, largest=0.01, measured=0.00012)) == "barely moves (measured 1.2e-4)"
    assert str(Movement(2e-5, largest=None, measured=0.034)) == "learns (measured .034)"
    assert str(Movement(0.0, largest=0.0)) == "frozen"
