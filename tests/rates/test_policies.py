import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from finetune_alf.errors import RatesError
from finetune_alf.rates import (
    EMBEDDINGS,
    HEAD,
    DecayedRates,
    FrozenBelow,
    LayerRates,
    ListedRates,
    RatesPolicy,
    SpreadRates,
    UniformRates,
    layer,
)

depth = st.integers(1, 24)
positive = st.floats(1e-10, 1e-4)
policies = st.one_of(
    st.builds(UniformRates, rate=positive, head=st.none() | positive),
    st.builds(DecayedRates, rate=positive, decay=st.floats(0.5, 1), head=positive),
    st.builds(SpreadRates, low=positive, high=positive, head=positive),
    st.builds(FrozenBelow, n_frozen=st.just("all"), rate=positive, head=positive),
)


@given(policies, depth)
def test_no_encoder_rate_exceeds_the_highest(policy, n_layers):
    rates = policy.at(n_layers)
    assert max(rates[EMBEDDINGS], *rates.layers) <= policy.highest * (1 + 1e-9)


@given(policies, depth)
def test_listed_rates_are_equal(policy, n_layers):
    rates = policy.at(n_layers)
    assert ListedRates.from_rates(rates).at(n_layers) == rates


@given(policies)
def test_every_policy_round_trips_through_json(policy):
    adapter = TypeAdapter(RatesPolicy)
    assert adapter.validate_json(adapter.dump_json(policy)) == policy


def test_decay_is_applied_once_for_each_layer_from_the_top_to_the_embeddings():
    rates = DecayedRates(rate=2e-5, decay=0.5, head=1e-3).at(3)
    assert rates == LayerRates.of(2.5e-6, [5e-6, 1e-5, 2e-5], 1e-3)


@given(positive, positive, depth)
def test_spread_rates_are_from_low_to_high(low, high, n_layers):
    rates = SpreadRates(low=low, high=high).at(n_layers)
    assert rates[EMBEDDINGS] == low
    assert rates[layer(n_layers - 1)] == high


@given(depth, st.data())
def test_frozen_below_freezes_embeddings_and_that_many_layers(n_layers, data):
    n_frozen = data.draw(st.integers(0, n_layers))
    rates = FrozenBelow(n_frozen=n_frozen, rate=1e-5).at(n_layers)
    assert rates.frozen == (EMBEDDINGS, *(layer(i) for i in range(n_frozen)))
    assert rates[HEAD] == 1e-5


def test_freezing_more_layers_than_there_are_is_refused():
    with pytest.raises(RatesError, match="must be at most the encoder's 6 layers, but got 7"):
        FrozenBelow(n_frozen=7, rate=1e-5).at(6)


def test_listed_rates_of_another_depth_are_refused_with_the_way_out():
    with pytest.raises(RatesError, match=r"must hold 6 rates.*but got 2.*stretch\(6\)"):
        ListedRates(embeddings=0.0, layers=(0.0, 1e-5), head=1e-3).at(6)


@pytest.mark.parametrize("rate", [-1e-5, float("nan"), float("inf"), "1e-5", True])
def test_a_rate_must_be_a_number(rate):
    with pytest.raises(ValidationError, match="rate"):
        UniformRates(rate=rate)
