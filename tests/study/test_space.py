"""Search spaces: their rates, tied blocks, and the distance of two sets of rates."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from finetune_alf.errors import RatesError
from finetune_alf.rates import DecayedRates, LayerRates, UniformRates
from finetune_alf.study.space import AnySpace, ChoicesSpace, DecayedSpace, LogSpace, Space

GRID = ChoicesSpace(rates=(0.0, 2e-10, 2e-9, 2e-8, 2e-7, 2e-6, 2e-5))
NO_ZERO = ChoicesSpace(rates=(1e-6, 1e-5, 1e-4))
LOG = LogSpace(low=1e-8, high=1e-4)
TIED = ChoicesSpace(rates=(0.0, 1e-5, 1e-4), blocks=(("embeddings", "layer.0"), ("layer.3", "layer.2")))
ONE_RATE = ChoicesSpace(rates=(0.0, 1e-5, 1e-4), blocks="all")
DECAYED = DecayedSpace(rate=LOG, decays=(0.5, 0.8, 1.0))
DECAYED_GRID = DecayedSpace(rate=NO_ZERO, decays=(0.9, 0.95))
DEPTH = 4

spaces = st.sampled_from([GRID, NO_ZERO, LOG, TIED, ONE_RATE, DECAYED, DECAYED_GRID])
any_rate = st.one_of(st.just(0.0), st.sampled_from(GRID.rates), st.floats(1e-12, 1e-2))
vectors = st.lists(any_rate, min_size=DEPTH + 2, max_size=DEPTH + 2).map(
    lambda rates: LayerRates.of(rates[0], rates[1:-1], rates[-1])
)


def parsed(text: dict[str, object]) -> AnySpace:
    space: AnySpace = TypeAdapter(Space).validate_json(json.dumps(text))
    return space


def test_params_are_named_after_addresses_without_the_head() -> None:
    assert list(GRID.distributions(2)) == ["rates.embeddings", "rates.layer.0", "rates.layer.1"]


def test_a_blocks_param_is_named_after_its_lowest_address_and_sets_all_of_them() -> None:
    assert TIED.param_addresses(DEPTH) == {
        "rates.embeddings": ("embeddings", "layer.0"),
        "rates.layer.1": ("layer.1",),
        "rates.layer.2": ("layer.2", "layer.3"),
    }
    params = {"rates.embeddings": 0.0, "rates.layer.1": 1e-5, "rates.layer.2": 1e-4}
    assert TIED.layer_rates(params, DEPTH, head=1e-3) == LayerRates.of(0.0, [0.0, 1e-5, 1e-4, 1e-4], 1e-3)


def test_a_log_space_is_log_uniform() -> None:
    assert LOG.rate_at(0.5) == pytest.approx(1e-6)
    distribution = LOG.distributions(1)["rates.layer.0"]
    assert (distribution.low, distribution.high, distribution.log) == (1e-8, 1e-4, True)  # type: ignore[attr-defined]


@given(space=spaces, units=st.lists(st.floats(0, 1, exclude_max=True), min_size=DEPTH + 1, max_size=DEPTH + 1))
def test_rates_in_the_space_and_their_params_convert_into_each_other(space: AnySpace, units: list[float]) -> None:
    params = {name: space.value_at(name, unit) for name, unit in zip(space.param_addresses(DEPTH), units, strict=False)}
    rates = space.layer_rates(params, DEPTH, head=1e-3)
    assert space.params_of(rates) == params
    distributions = space.distributions(DEPTH)
    for name, rate in params.items():
        assert distributions[name]._contains(distributions[name].to_internal_repr(rate))


def test_a_single_rate_is_one_block_at_any_depth() -> None:
    assert ONE_RATE.param_addresses(2) == {"rates.embeddings": ("embeddings", "layer.0", "layer.1")}
    assert ONE_RATE.layer_rates({"rates.embeddings": 1e-5}, 2, head=1e-3) == UniformRates(rate=1e-5, head=1e-3).at(2)


def test_a_decayed_space_has_the_top_rate_and_a_factor() -> None:
    assert list(DECAYED.distributions(DEPTH)) == ["rate", "decay"]
    rates = DECAYED.layer_rates({"rate": 1e-5, "decay": 0.5}, 2, head=1e-3)
    assert rates == LayerRates.of(2.5e-6, [5e-6, 1e-5], 1e-3)
    assert DECAYED.params_of(UniformRates(rate=2e-5, head=1e-3).at(DEPTH)) == {"rate": 2e-5, "decay": 1.0}
    assert DECAYED.params_of(DecayedRates(rate=1e-5, decay=0.7).at(DEPTH)) is None
    assert DECAYED.params_of(DecayedRates(rate=1e-3, decay=0.5).at(DEPTH)) is None


@given(space=spaces, unit=st.floats(0, 1, exclude_max=True))
def test_every_param_lies_on_the_spaces_scale_and_rises_along_it(space: AnySpace, unit: float) -> None:
    low, high = space.position_range
    for name in space.param_addresses(DEPTH):
        at = space.position_of(name, space.value_at(name, unit))
        assert low - 1e-9 <= space.position_of(name, space.value_at(name, 0.0)) <= at <= high + 1e-9


def test_the_grid_of_a_log_space_is_in_half_decades() -> None:
    assert LogSpace(low=1e-6, high=1e-4).positive_grid == pytest.approx((1e-6, 10**-5.5, 1e-5, 10**-4.5, 1e-4))
    assert LogSpace(low=1e-6, high=5e-6).positive_grid == pytest.approx((1e-6, 10**-5.5))
    assert GRID.positive_grid == GRID.rates[1:]
    assert NO_ZERO.positive_grid == NO_ZERO.rates


def test_rates_outside_the_space_have_no_params() -> None:
    assert GRID.params_of(UniformRates(rate=3e-6).at(DEPTH)) is None
    assert LOG.params_of(UniformRates(rate=0.0).at(DEPTH)) is None
    assert TIED.params_of(LayerRates.of(0.0, [1e-5, 0.0, 0.0, 0.0], 1e-3)) is None  # the lowest block is not tied


@given(space=spaces, a=vectors, b=vectors, c=vectors)
def test_distance_is_a_metric(space: AnySpace, a: LayerRates, b: LayerRates, c: LayerRates) -> None:
    ab = space.grid_step_distance(a, b)
    assert ab >= 0
    assert math.isfinite(ab)
    assert ab == pytest.approx(space.grid_step_distance(b, a))
    assert space.grid_step_distance(a, a) == 0
    assert space.grid_step_distance(a, c) <= ab + space.grid_step_distance(b, c) + 1e-9


@given(steps=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=DEPTH + 1, max_size=DEPTH + 1))
def test_distance_on_the_grid_counts_steps(steps: list[tuple[int, int]]) -> None:
    a, b = ([GRID.rates[pair[side]] for pair in steps] for side in (0, 1))
    distance = GRID.grid_step_distance(LayerRates.of(a[0], a[1:], 1e-3), LayerRates.of(b[0], b[1:], 5e-3))
    assert distance == pytest.approx(sum(abs(i - j) for i, j in steps) / (DEPTH + 1))


@given(space=spaces, low=any_rate, high=any_rate)
def test_distance_from_the_lowest_rate_never_falls_as_a_rate_rises(space: AnySpace, low: float, high: float) -> None:
    low, high = sorted((low, high))
    zero, a, b = (UniformRates(rate=rate).at(DEPTH) for rate in (0.0, low, high))
    assert space.grid_step_distance(zero, a) <= space.grid_step_distance(zero, b) + 1e-9


def test_distance_in_a_log_space_is_in_decades() -> None:
    a, b = (UniformRates(rate=rate).at(DEPTH) for rate in (1e-7, 1e-5))
    assert LOG.grid_step_distance(a, b) == pytest.approx(2)


def test_distance_between_depths_is_refused() -> None:
    with pytest.raises(RatesError, match="must be of one depth"):
        GRID.grid_step_distance(UniformRates(rate=1e-5).at(3), UniformRates(rate=1e-5).at(4))


def test_a_block_beyond_the_encoders_depth_is_refused() -> None:
    with pytest.raises(RatesError, match=r"layers 0 to 1, but got layer\.3"):
        TIED.param_addresses(2)


@pytest.mark.parametrize(
    ("given_space", "reason"),
    [
        ({"kind": "choices", "rates": [0, 1e-5, 1e-6]}, "must rise"),
        ({"kind": "choices", "rates": [1e-5, 1e-5]}, "must rise"),
        ({"kind": "choices", "rates": [1e-5, 1.0000001e-5]}, "must rise"),  # the fits of both would have one key
        ({"kind": "choices", "rates": [1e-5]}, "at least 2"),
        ({"kind": "choices", "rates": [-1e-5, 1e-5]}, "greater than or equal to 0"),
        ({"kind": "log", "low": 0, "high": 1e-5}, "greater than 0"),
        ({"kind": "log", "low": 1e-4, "high": 1e-5}, "low must be below high, but got 1e-4 and 1e-5"),
        ({"kind": "choices", "rates": [0, 1], "blocks": [["layer.0"], ["layer.0"]]}, "more than once"),
        ({"kind": "choices", "rates": [0, 1], "blocks": [["head"]]}, "pattern"),
        ({"kind": "choices", "rates": [0, 1], "blocks": [[]]}, "at least 1"),
        ({"kind": "decayed", "rate": {"kind": "choices", "rates": [0, 1]}, "decays": [0.5, 1]}, "above 0 only"),
        ({"kind": "decayed", "rate": {"kind": "log", "low": 0.1, "high": 1}, "decays": [1, 0.5]}, "must rise"),
        ({"kind": "decayed", "rate": {"kind": "log", "low": 0.1, "high": 1}, "decays": [0.5, 2]}, "less than or equal"),
        (
            {"kind": "decayed", "rate": {"kind": "log", "low": 0.1, "high": 1, "blocks": "all"}, "decays": [0.5, 1]},
            "must have no blocks",
        ),
    ],
)
def test_an_invalid_space_is_refused(given_space: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        parsed(given_space)
