"""Operating points: the smallest number of layers that keeps enough, and the intervals of what is kept."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finetune_alf.experiments.comparison import resampled_scores, seeds_interval
from finetune_alf.experiments.freeze.document import OperatingPoint
from finetune_alf.experiments.freeze.operating import TOLERANCE, margin, operating_point
from finetune_alf.metrics import ACCURACY, sample_metric
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


def test_all_of_the_score_is_kept_in_another_rounding_too():
    scores = {seed: np.full(5, 0.1) for seed in (1, 2, 3)}
    less = {seed: values - 1e-17 for seed, values in scores.items()}
    margins = {1: margin(less, scores, keep_frac=1.0, floor=0.0, seed=0), 2: exact(-1e-12)}
    expected = OperatingPoint(n_trained=1, n_conservative=1, is_monotone=True)
    assert operating_point(margins, full=0.1, floor=0.0) == expected


def test_a_floor_on_the_same_resamples_leaves_no_width_where_all_predictions_are_the_floors():
    rng = np.random.default_rng(2)
    truth = [int(x) for x in rng.random(50) < 0.6]
    scores = resampled_scores(ACCURACY, truth, {1: [1] * 50, 2: [1] * 50}, 200, seed=5)
    paired = margin(scores, scores, keep_frac=0.9, floor=scores[1], seed=3)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((0, 0, 0))
    fixed = margin(scores, scores, keep_frac=0.9, floor=float(scores[1][0]), seed=3)
    assert fixed.low < -0.005 < 0.005 < fixed.high


def test_the_conservative_number_needs_the_whole_interval_from_there_on():
    margins = {0: Interval(-0.2, -0.3, -0.1), 1: Interval(0.01, -0.02, 0.03), 2: exact(0.02), 3: exact(0.03)}
    point = operating_point(margins, full=0.9, floor=0.0)
    assert point == OperatingPoint(n_trained=1, n_conservative=2, is_monotone=True)
    assert operating_point(margins | {3: Interval(0.0, -0.1, 0.1)}, full=0.9, floor=0.0).n_conservative is None


def test_a_larger_number_that_keeps_less_is_not_monotone():
    point = point_of([0.2, 0.9, 0.5, 0.9], 1.0)
    assert point == OperatingPoint(n_trained=1, n_conservative=3, is_monotone=False)


def test_a_level_without_a_seed_of_the_full_model_has_no_margin():
    assert margin({1: np.ones(5)}, {2: np.ones(5)}, keep_frac=0.9, floor=0.0, seed=0) is None
    assert operating_point({0: None, 1: exact(0.1)}, full=1.0, floor=0.0).n_trained == 1


@pytest.mark.parametrize("metric", ["accuracy", "f1", "matthews"])
def test_scores_are_the_metric_and_their_interval_contains_them(metric):
    rng = np.random.default_rng(0)
    truth = [int(x) for x in rng.integers(0, 2, 80)]
    predictions = {seed: [int(t if rng.random() < 0.8 else 1 - t) for t in truth] for seed in (1, 2, 3)}
    scores = resampled_scores(sample_metric(metric, 3), truth, predictions, 300, seed=5)
    assert {seed: values[0] for seed, values in scores.items()} == pytest.approx(
        {seed: sample_metric(metric, 3)(truth, predicted) for seed, predicted in predictions.items()}
    )
    interval = seeds_interval(scores, seed=6)
    assert interval.mean == pytest.approx(np.mean([values[0] for values in scores.values()]))
    assert interval.low < interval.mean < interval.high


def test_differences_are_paired_so_equal_predictions_differ_by_0():
    rng = np.random.default_rng(1)
    truth = [float(x) for x in rng.normal(size=60)]
    predictions = {seed: [t + float(rng.normal()) for t in truth] for seed in (1, 2)}
    a, b = (resampled_scores(sample_metric("pearson", 0), truth, predictions, 200, seed=5) for _ in range(2))
    assert seeds_interval({seed: a[seed] - b[seed] for seed in a}, seed=3) == exact(0.0)
    assert margin(a, b, keep_frac=1.0, floor=0.0, seed=3) == exact(0.0)


def test_without_a_fit_there_are_no_scores():
    assert resampled_scores(sample_metric("f1", 2), [0, 1], {}, 100, seed=1) == {}


def test_seeds_that_disagree_widen_the_interval():
    truth = [0, 1] * 50
    equal = {seed: [0, 1] * 40 + [1, 0] * 10 for seed in (1, 2, 3)}
    different = {1: truth, 2: [0, 1] * 40 + [1, 0] * 10, 3: [0, 1] * 30 + [1, 0] * 20}
    narrow, wide = (
        seeds_interval(resampled_scores(ACCURACY, truth, predictions, 500, seed=1), seed=2)
        for predictions in (equal, different)
    )
    assert wide.mean == pytest.approx(narrow.mean)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
