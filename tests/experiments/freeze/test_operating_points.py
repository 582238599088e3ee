"""Operating points: the smallest number of layers that keeps enough, and the intervals of what is kept."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finetune_alf.comparison import seeds_scores
from finetune_alf.experiments.freeze.document import OperatingPoint
from finetune_alf.experiments.freeze.operating import TOLERANCE, margin, operating_point
from finetune_alf.metrics import ACCURACY
from finetune_alf.stats import Interval

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=7)
KEEP_FRAC = st.floats(0.05, 1)


def exact(value):
    return Interval(value, value, value)


def point_of(scores, full, keep_frac=0.9, floor=0.0):
    """The operating point of exactly known scores, by number of trained layers."""
    margins = {n: exact(score - keep_frac * full - (1 - keep_frac) * floor) for n, score in enumerate(scores)}
    return operating_point(margins, full=full, floor=floor)


@given(SCORES, st.floats(0.1, 1), KEEP_FRAC)
def test_the_point_keeps_enough_and_fewer_layers_do_not(scores, full, keep_frac):
    point = point_of(scores, full, keep_frac)
    keeps = [score - keep_frac * full >= -TOLERANCE for score in scores]
    assert point.n_trained == (keeps.index(True) if any(keeps) else None)
    assert point.n_conservative == next((n for n in range(len(keeps)) if all(keeps[n:])), None)
    assert point.is_monotone == (point.n_trained == point.n_conservative)


@given(SCORES, st.floats(0.1, 1), KEEP_FRAC, KEEP_FRAC)
def test_to_keep_more_never_takes_fewer_layers(scores, full, a, b):
    less, more = (point_of(scores, full, keep_frac).n_trained for keep_frac in sorted((a, b)))
    assert more is None or (less is not None and less <= more)


@given(SCORES, st.floats(0.1, 1), st.floats(0, 0.9), KEEP_FRAC)
def test_to_keep_a_fraction_of_the_gain_never_takes_fewer_layers_than_of_the_score(scores, full, floor, keep_frac):
    assume(full > floor + TOLERANCE)
    of_score = point_of(scores, full, keep_frac).n_trained
    of_gain = point_of([score - 1e-12 for score in scores], full, keep_frac, floor).n_trained
    assert of_gain is None or (of_score is not None and of_score <= of_gain)


@given(st.integers(1, 6), st.floats(0.1, 1), KEEP_FRAC)
def test_if_no_level_loses_anything_no_layer_is_needed(n_levels, full, keep_frac):
    assert point_of([full + 1e-9] * n_levels, full, keep_frac).n_trained == 0


@pytest.mark.parametrize("full", [0.5, 0.4])
def test_a_full_model_without_a_gain_has_no_operating_point(full):
    assert point_of([0.4, 0.5], full, floor=0.5) is None


def test_a_mean_over_equal_seeds_is_not_above_the_floor_by_its_last_digit():
    full = float(np.mean([0.1] * 3))
    assert full > 0.1
    assert operating_point({1: exact(full - 0.1)}, full=full, floor=0.1) is None


def scores(truth, predictions):
    return seeds_scores(ACCURACY, truth, predictions)


def test_all_of_the_score_is_kept_in_another_rounding_too():
    full = scores([0, 1] * 15, dict.fromkeys((1, 2, 3), [0, 1, 1, 1, 0, 0] * 5))
    less = full * (1 - 1e-16)
    margins = {1: margin(less, full, keep_frac=1.0, floor=None), 2: exact(-1e-12)}
    expected = OperatingPoint(n_trained=1, n_conservative=1, is_monotone=True)
    assert operating_point(margins, full=float(full.by_seed.mean()), floor=0.0) == expected


def test_a_margin_is_the_score_above_the_floor_minus_what_must_be_kept():
    rng = np.random.default_rng(2)
    truth = [int(x) for x in rng.random(50) < 0.6]
    own, full, floor = (
        scores(truth, {seed: [int(x) for x in rng.random(50) < share] for seed in (1, 2)}) for share in (0.5, 0.9, 0.6)
    )
    found = margin(own, full, keep_frac=0.8, floor=floor)
    by_hand = (own.by_seed - floor.by_seed) - 0.8 * (full.by_seed - floor.by_seed)
    assert found.mean == pytest.approx(by_hand.mean())
    assert margin(own, full, keep_frac=0.8, floor=None).mean == pytest.approx((own.by_seed - 0.8 * full.by_seed).mean())


def test_a_floor_on_the_same_texts_leaves_no_width_where_all_predictions_are_the_floors():
    truth = [int(x) for x in np.random.default_rng(2).random(50) < 0.6]
    constant = scores(truth, {1: [1] * 50, 2: [1] * 50})
    paired = margin(constant, constant, keep_frac=0.9, floor=constant)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((0, 0, 0))


def test_the_conservative_number_needs_the_whole_interval_from_there_on():
    margins = {0: Interval(-0.2, -0.3, -0.1), 1: Interval(0.01, -0.02, 0.03), 2: exact(0.02), 3: exact(0.03)}
    point = operating_point(margins, full=0.9, floor=0.0)
    assert point == OperatingPoint(n_trained=1, n_conservative=2, is_monotone=True)
    assert operating_point(margins | {3: Interval(0.0, -0.1, 0.1)}, full=0.9, floor=0.0).n_conservative is None


def test_a_larger_number_that_keeps_less_is_not_monotone():
    point = point_of([0.2, 0.9, 0.5, 0.9], 1.0)
    assert point == OperatingPoint(n_trained=1, n_conservative=3, is_monotone=False)


def test_a_level_without_a_seed_of_the_full_model_has_no_margin():
    one, two = scores([0, 1], {1: [0, 1]}), scores([0, 1], {2: [0, 1]})
    assert margin(one, two, keep_frac=0.9, floor=None) is None
    assert operating_point({0: None, 1: exact(0.1)}, full=1.0, floor=0.0).n_trained == 1
