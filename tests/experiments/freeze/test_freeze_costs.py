import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.cost.contrastive import contrastive_memory, contrastive_work
from finetune_alf.cost.shape import EncoderShape, Engine, FitLengths
from finetune_alf.experiments.freeze.cost import LevelCost, calibrate, level_cost, pareto_front
from finetune_alf.experiments.freeze.levels import levels
from finetune_alf.rates import UniformRates, addresses
from finetune_alf.recipe import Contrastive, Recipe

POINTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2), st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1
)


def dominates(a, b):
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(POINTS)
def test_the_front_is_what_no_point_dominates(points):
    front = pareto_front(points)
    assert front
    for name, point in points.items():
        assert (name in front) == (not any(dominates(points[other], point) for other in front))


COSTS = {
    "none": LevelCost(6e12, 144, 3),
    "3": LevelCost(3.5e12, 108, 2),
    "5": LevelCost(1.9e12, 84, 1),
    "6": LevelCost(1.8e12, 72, 1),
}


def test_seconds_that_follow_the_formula_give_its_prices_back():
    seconds = {level: 2 * cost.flops / 1e12 + 0.01 * cost.layer_calls for level, cost in COSTS.items()}
    calibration = calibrate(COSTS, seconds)
    assert (calibration.teraflop_s, calibration.layer_call_s) == pytest.approx((2.0, 0.01))
    assert calibration.max_relative_error == pytest.approx(0, abs=1e-9)


def test_the_error_is_that_of_the_worst_level_and_two_levels_are_too_few():
    assert calibrate(COSTS, {"none": 6.0, "3": 6.0, "5": 2.0, "6": 2.0}).max_relative_error > 0.1
    assert calibrate(COSTS, {"none": 6.0, "3": 4.0}) is None


def test_a_contrastive_fit_costs_what_its_pairs_do():
    sizes = dict.fromkeys(addresses(4), 800_000)
    shape, engine = EncoderShape(4, 256, 1024, 4, sizes, (256 * 256, 512), 3000, 256), Engine(True, 64, 1 << 30)
    lengths = FitLengths((20,) * 64, (20,) * 32, (20,) * 32, 500)
    on_pairs = Recipe(
        rates=UniformRates(rate=1e-5), epochs=2, batch=8, max_tokens=32, pooling="mean", objective=Contrastive()
    )
    cost = level_cost(shape, lengths, on_pairs, engine)
    given = (shape, lengths, on_pairs, Contrastive(), engine)
    assert (cost.flops, cost.memory_bytes) == (contrastive_work(*given).flops, contrastive_memory(*given).total)


def test_operations_and_memory_fall_from_level_to_level():
    sizes = dict.fromkeys(addresses(4), 800_000)
    shape = EncoderShape(4, 256, 1024, 4, sizes, (256 * 256, 512), 3000, 256)
    lengths = FitLengths((20,) * 64, (20,) * 32, (20,) * 32, 500)
    plain = Recipe(rates=UniformRates(rate=1e-5), epochs=2, batch=8, max_tokens=32)
    costs = [
        level_cost(shape, lengths, plain.with_rates(level.rates(1e-5, 1e-5)), Engine(True, 64, 1 << 30))
        for level in levels([0, 1, 2, 3, 4], 4)
    ]
    flops, calls, memory = (
        [getattr(cost, part) for cost in costs] for part in ("flops", "layer_calls", "memory_bytes")
    )
    assert flops == sorted(flops, reverse=True)
    assert calls == sorted(calls, reverse=True)
    assert flops[-1] < flops[0] / 2
    assert memory == sorted(memory, reverse=True)
