import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.errors import RatesError
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, addresses, layer, setting_text

rate = st.floats(0, 1, allow_nan=False)
rates = st.builds(LayerRates.of, rate, st.lists(rate, min_size=1, max_size=24), rate)


@given(rates)
def test_rates_are_ordered_from_the_input_up(given_rates):
    assert tuple(given_rates) == addresses(given_rates.n_layers)
    assert LayerRates(dict(reversed(list(given_rates.items())))) == given_rates


@given(rates)
def test_frozen_addresses_are_those_at_zero(given_rates):
    assert set(given_rates.frozen) == {address for address, value in given_rates.items() if value == 0}


@given(rates, st.integers(1, 48))
def test_stretching_makes_no_new_rate_and_keeps_the_order(given_rates, n_layers):
    stretched = given_rates.stretch(n_layers)
    assert stretched.n_layers == n_layers
    assert (stretched[EMBEDDINGS], stretched[HEAD]) == (given_rates[EMBEDDINGS], given_rates[HEAD])
    heights = [given_rates.layers.index(value) for value in stretched.layers]
    assert set(stretched.layers) <= set(given_rates.layers)
    assert len(set(given_rates.layers)) < given_rates.n_layers or heights == sorted(heights)


@given(rates)
def test_stretching_to_the_same_depth_changes_nothing(given_rates):
    assert given_rates.stretch(given_rates.n_layers) == given_rates


def test_stretching_six_layers_to_twelve_gives_each_rate_twice():
    six = LayerRates.of(0, [1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6], 1e-3)
    assert six.stretch(12).layers == tuple(value for value in six.layers for _ in range(2))


def test_a_layer_has_the_rate_of_the_one_whose_middle_is_nearest():
    six = LayerRates.of(0, [1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6], 1e-3)
    assert six.stretch(2).layers == (2e-6, 5e-6)
    assert six.stretch(4).layers == (1e-6, 3e-6, 4e-6, 6e-6)
    assert six.stretch(1).layers == (4e-6,)  # of two as near, the upper one


@given(rates)
def test_rates_can_be_pickled_and_hashed(given_rates):
    again = pickle.loads(pickle.dumps(given_rates))
    assert again == given_rates
    assert hash(again) == hash(given_rates)


@pytest.mark.parametrize("bad", [-1e-5, 1.5, float("nan"), float("inf")])
def test_an_invalid_rate_is_named(bad):
    with pytest.raises(RatesError, match=r"rates.layer.1: must be a number from 0 to 1"):
        LayerRates.of(0, [0, bad], 1e-3)


@pytest.mark.parametrize("bad", [0, -1, True, 2.5, "4"])
def test_a_depth_that_is_no_number_of_layers_is_named(bad):
    with pytest.raises(RatesError, match=rf"n_layers: must be an integer of at least 1 .* to {bad!r}\."):
        LayerRates.of(0, [1e-5], 1e-3).stretch(bad)


def test_a_missing_layer_is_refused():
    with pytest.raises(RatesError, match=r"must name embeddings, layer.0, head, but got embeddings, layer.1, head"):
        LayerRates({"embeddings": 0, "layer.1": 0, "head": 0})


def test_addresses_of_no_layers_are_embeddings_and_head():
    assert addresses(0) == (EMBEDDINGS, HEAD)
    assert layer(3) == "layer.3"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1e-4, "1e-4"), (0.001, "1e-3"), (2e-10, "2e-10"), (1.23456e-5, "1.23456e-5"), (0.1, "0.1"), (1, "1")],
)
def test_a_small_number_of_a_recipe_is_written_as_rates_are_and_no_digit_is_lost(value, text):
    assert setting_text(value) == text
    assert float(text) == value
