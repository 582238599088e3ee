import numpy as np
import pytest
from finetune_alf.experiments.freeze.resample import interval, scores_by_seed
from hypothesis import assume, given
from hypothesis import strategies as st

from finetune_alf.experiments.freeze.operating import ROUNDING, OperatingPoint, margin, operating_point
from finetune_alf.metrics import METRICS
from finetune_alf.stats import Interval

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=7)
KEEP = st.floats(0.05, 1)


def exact(value):
    return Interval(value, value, value)


def point_of(scores, full, keep=0.9, floor=0.0):
    """The operating point of exactly known scores, by number of trained layers."""
    told = {n: exact(score - keep * full - (1 - keep) * floor) for n, score in enumerate(scores)}
    return operating_point(told, full=full, floor=floor)


@given(SCORES, st.floats(0.1, 1), KEEP)
def test_fewer_layers_than_the_point_do_not_keep_enough_and_the_point_does(scores, full, keep):
    point = point_of(scores, full, keep)
    keeps = [score - keep * full >= -ROUNDING for score in scores]
    assert point.n_trained == (keeps.index(True) if any(keeps) else None)
    assert point.n_sure == next((n for n in range(len(keeps)) if all(keeps[n:])), None)
    assert point.is_steady == (point.n_trained == point.n_sure)


@given(SCORES, st.floats(0.1, 1), KEEP, KEEP)
def test_to_keep_more_never_takes_fewer_layers(scores, full, one, other):
    less, more = (point_of(scores, full, keep).n_trained for keep in sorted((one, other)))
    assert more is None or (less is not None and less <= more)


@given(SCORES, st.floats(0.1, 1), st.floats(0, 0.9), KEEP)
def test_to_keep_a_part_of_the_gain_never_takes_fewer_layers_than_of_the_score(scores, full, floor, keep):
    assume(full > floor + ROUNDING)
    raw = point_of(scores, full, keep).n_trained
    gain = point_of([score - 1e-12 for score in scores], full, keep, floor).n_trained
    assert gain is None or (raw is not None and raw <= gain)


@given(st.integers(1, 6), st.floats(0.1, 1), KEEP)
def test_where_nothing_is_lost_no_layer_is_needed(n_levels, full, keep):
    assert point_of([full + 1e-9] * n_levels, full, keep).n_trained == 0


@pytest.mark.parametrize("full", [0.5, 0.4])
def test_a_full_model_that_gains_nothing_has_no_operating_point(full):
    assert point_of([0.4, 0.5], full, floor=0.5) is None


def test_seeds_that_all_give_the_same_answers_are_no_better_than_the_floor_they_stand_on():
    full = float(np.mean([0.1] * 3))
    assert full > 0.1  # by the last digit
    assert operating_point({1: exact(full - 0.1)}, full=full, floor=0.1) is None


def test_who_is_to_keep_all_of_it_may_have_as_much_in_another_rounding():
    scores = {seed: np.full(5, 0.1) for seed in (1, 2, 3)}
    less = {seed: own - 1e-17 for seed, own in scores.items()}
    told = {1: margin(less, scores, keep=1.0, floor=0.0, seed=0), 2: exact(-1e-12)}
    assert operating_point(told, full=0.1, floor=0.0) == OperatingPoint(1, 1, is_steady=True)


def test_a_floor_of_the_same_texts_leaves_no_doubt_where_every_answer_is_the_floors():
    rng = np.random.default_rng(2)
    truth = [int(x) for x in rng.random(50) < 0.6]
    own = scores_by_seed("accuracy", truth, {1: [1] * 50, 2: [1] * 50}, 200, seed=5)
    paired = margin(own, own, keep=0.9, floor=own[1], seed=3)
    assert (paired.mean, paired.low, paired.high) == pytest.approx((0, 0, 0))
    fixed = margin(own, own, keep=0.9, floor=float(own[1][0]), seed=3)
    assert fixed.low < -0.005 < 0.005 < fixed.high


def test_what_is_sure_needs_the_whole_interval_there_and_everywhere_above():
    margins = {0: Interval(-0.2, -0.3, -0.1), 1: Interval(0.01, -0.02, 0.03), 2: exact(0.02), 3: exact(0.03)}
    point = operating_point(margins, full=0.9, floor=0.0)
    assert (point.n_trained, point.n_sure, point.is_steady) == (1, 2, True)
    assert operating_point(margins | {3: Interval(0.0, -0.1, 0.1)}, full=0.9, floor=0.0).n_sure is None


def test_a_larger_number_that_falls_below_is_told():
    point = point_of([0.2, 0.9, 0.5, 0.9], 1.0)
    assert (point.n_trained, point.n_sure, point.is_steady) == (1, 3, False)


def test_a_level_without_a_seed_of_the_full_model_keeps_nothing_known():
    assert margin({1: np.ones(5)}, {2: np.ones(5)}, keep=0.9, floor=0.0, seed=0) is None
    assert operating_point({0: None, 1: exact(0.1)}, full=1.0, floor=0.0).n_trained == 1


def answers(rng, truth, right):
    return [int(t if rng.random() < right else 1 - t) for t in truth]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "matthews"])
def test_scores_are_the_metric_and_their_interval_holds_them(metric):
    rng = np.random.default_rng(0)
    truth = [int(x) for x in rng.integers(0, 2, 80)]
    said = {seed: answers(rng, truth, 0.8) for seed in (1, 2, 3)}
    values = scores_by_seed(metric, truth, said, 300, seed=5)
    assert {seed: own[0] for seed, own in values.items()} == pytest.approx(
        {seed: METRICS[metric](truth, own) for seed, own in said.items()}
    )
    told = interval(values, seed=6)
    assert told.mean == pytest.approx(np.mean([own[0] for own in values.values()]))
    assert told.low < told.mean < told.high


def test_a_difference_is_paired_so_that_equal_answers_differ_by_nothing():
    rng = np.random.default_rng(1)
    truth = [float(x) for x in rng.normal(size=60)]
    said = {seed: [t + float(rng.normal()) for t in truth] for seed in (1, 2)}
    one, other = (scores_by_seed("pearson", truth, said, 200, seed=5) for _ in range(2))
    assert interval({seed: one[seed] - other[seed] for seed in one}, seed=3) == Interval(0.0, 0.0, 0.0)
    told = margin(one, other, keep=1.0, floor=0.0, seed=3)
    assert told == Interval(0.0, 0.0, 0.0)


def test_where_every_fit_diverged_there_are_no_scores():
    assert scores_by_seed("f1", [0, 1], {}, 100, seed=1) == {}


def test_seeds_that_disagree_widen_the_interval():
    truth = [0, 1] * 50
    alike = {seed: [0, 1] * 40 + [1, 0] * 10 for seed in (1, 2, 3)}
    apart = {1: truth, 2: [0, 1] * 40 + [1, 0] * 10, 3: [0, 1] * 30 + [1, 0] * 20}
    narrow, wide = (interval(scores_by_seed("accuracy", truth, said, 500, seed=1), seed=2) for said in (alike, apart))
    assert wide.mean == pytest.approx(narrow.mean)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
