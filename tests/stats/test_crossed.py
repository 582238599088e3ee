"""The mean over crossed seeds and texts: components computed by hand, invariances, and degenerate tables."""

import numpy as np
import pytest
from drawn import LABELS, METRICS, NOT_MEANS, drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t, ttest_1samp

from finetune_alf.stats import Scores, combined_scores, estimate, scores_of, wilson_ends
from finetune_alf.stats.crossed import variance_of_mean

WIDE = (-100.0, 100.0)


def table(values, bounds=WIDE):
    """Scores with these values of texts, (n_seeds, n_texts)."""
    matrix = np.asarray(values, dtype=float)
    return Scores(tuple(range(len(matrix))), matrix.mean(axis=1), (matrix,), bounds)


tables = st.tuples(st.integers(1, 5), st.integers(2, 12)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-4, 4).map(float))
)


def test_components_computed_by_hand():
    # means of seeds 2, 4, of texts 2, 2, 5; sums of squares 6, 12, 4 on 1, 2, 2 degrees of freedom
    found = variance_of_mean(np.array([2.0, 4.0]), [np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]])])
    assert float(found.of_mean) == pytest.approx((6 + 6 - 2) / 6)
    assert (float(found.seed), float(found.text), float(found.rest)) == pytest.approx(((6 - 2) / 3, (6 - 2) / 2, 2.0))
    df = (10 / 6) ** 2 / (1.0**2 / 1 + 1.0**2 / 2 + (1 / 3) ** 2 / 2)
    assert float(found.df) == pytest.approx(df)
    own = estimate(table([[1, 2, 3], [3, 2, 7]]))
    half = t.ppf(0.975, df) * np.sqrt(10 / 6)
    assert (own.mean, own.low, own.high) == pytest.approx((3.0, 3 - half, 3 + half))
    assert own.p == pytest.approx(2 * t.sf(3 / np.sqrt(10 / 6), df))
    assert own.sd_seeds == pytest.approx(np.sqrt(2))
    assert (own.components.n_seeds, own.components.n_texts) == (2, 3)


def test_a_negative_component_counts_as_0_and_the_variance_keeps_half_of_the_texts_part():
    # means of both seeds are equal; sums of squares 0, 1, 9 on 1, 3, 3 degrees of freedom
    values = np.array([[2.0, 0.0, 2.0, 0.0], [0.0, 2.0, 1.0, 1.0]])
    found = variance_of_mean(values.mean(axis=1), [values])
    by_text = values.mean(axis=0)
    texts = by_text.var(ddof=1) / 4
    rest = np.square(values - by_text - values.mean(axis=1, keepdims=True) + values.mean()).sum() / 3 / 8
    assert (float(found.seed), float(found.text)) == (0.0, 0.0)
    assert float(found.of_mean) == pytest.approx(0.5 * max(texts, rest))


@given(values=tables)
def test_degrees_of_freedom_are_no_fewer_than_those_of_the_seeds(values):
    assert float(variance_of_mean(values.mean(axis=1), [values]).df) >= len(values) - 1


def test_one_seed_is_the_t_test_over_texts():
    values = np.random.default_rng(0).integers(-1, 2, (1, 40))
    own, expected = estimate(table(values)), ttest_1samp(values[0], 0)
    interval = expected.confidence_interval()
    assert (own.p, own.low, own.high) == pytest.approx((expected.pvalue, interval.low, interval.high))
    assert own.sd_seeds is own.components.seed is None


def test_seeds_alone_are_the_t_test_over_seeds():
    values = np.repeat([[0.1], [0.3], [0.35], [0.2], [0.15]], 50, axis=1)
    own, expected = estimate(table(values)), ttest_1samp(values[:, 0], 0)
    assert own.p == pytest.approx(expected.pvalue)
    assert own.components.seed == pytest.approx(values[:, 0].var(ddof=1))


@given(values=tables)
def test_the_order_of_seeds_and_texts_does_not_matter_and_the_sign_only_mirrors(values):
    own = estimate(table(values))
    turned, mirrored = estimate(table(values[::-1, ::-1])), estimate(table(-values))
    assert (turned.mean, turned.low, turned.high, turned.p) == pytest.approx((own.mean, own.low, own.high, own.p))
    assert (mirrored.mean, mirrored.low, mirrored.high) == pytest.approx((-own.mean, -own.high, -own.low))
    assert mirrored.p == pytest.approx(own.p)


@given(values=tables)
def test_p_is_below_5_percent_if_and_only_if_the_interval_excludes_0(values):
    own = estimate(table(values))
    if abs(own.p - 0.05) > 1e-6 and own.low > -100 and own.high < 100:
        assert (own.p < 0.05) == (not own.low <= 0 <= own.high)


@given(values=tables, shift=st.floats(-3, 3), factor=st.floats(0.1, 5))
def test_the_interval_moves_and_stretches_with_the_values(values, shift, factor):
    own, moved = estimate(table(values)), estimate(table(factor * values + shift))
    assert (moved.low, moved.high) == pytest.approx(
        tuple(np.clip([factor * own.low + shift, factor * own.high + shift], *WIDE)), abs=1e-6
    ) or not -100 < own.low <= own.high < 100


def test_many_comparisons_at_once_are_those_one_by_one():
    values = np.random.default_rng(1).integers(0, 2, (7, 3, 20)).astype(float)
    together = variance_of_mean(values.mean(axis=-1), [values])
    for index, each in enumerate(values):
        alone = variance_of_mean(each.mean(axis=-1), [each])
        assert [float(part[index]) for part in together[:-1]] == pytest.approx([float(part) for part in alone[:-1]])


def test_seeds_that_disagree_widen_the_interval_and_take_degrees_of_freedom():
    texts = np.tile([1.0, -1.0, 0.0, 1.0], 50)
    agree, disagree = np.tile(texts, (5, 1)), texts + np.array([[-0.2], [-0.1], [0.0], [0.1], [0.2]])
    near, far = estimate(table(agree)), estimate(table(disagree))
    assert far.mean == pytest.approx(near.mean)
    assert far.high - far.low > 1.2 * (near.high - near.low)
    assert float(variance_of_mean(disagree.mean(axis=1), [disagree]).df) < 30


@pytest.mark.parametrize("value", [0.0, 0.25, -1.0])
def test_values_that_are_all_equal_have_no_width(value):
    own = estimate(table(np.full((3, 5), value)))
    assert (own.mean, own.low, own.high, own.p) == (value, value, value, 1.0 if value == 0 else 0.0)


def test_an_accuracy_of_1_has_wilsons_interval_whether_of_one_seed_or_of_equal_ones():
    truth = [0, 1] * 36
    expected, _ = wilson_ends(1.0, 72)
    for n_seeds in (1, 5):
        own = estimate(scores_of(METRICS["accuracy"], truth, dict.fromkeys(range(n_seeds), truth)))
        assert (own.mean, own.low, own.high) == (1.0, pytest.approx(float(expected)), 1.0)


def test_one_seeds_accuracy_has_wilsons_interval_with_the_quantile_of_t():
    truth, predicted = [0, 1] * 36, [0, 1] * 30 + [1, 0] * 6
    own = estimate(scores_of(METRICS["accuracy"], truth, {3: predicted}))
    p = 60 / 72
    n_effective = p * (1 - p) / (p * (1 - p) / 71)
    low, high = wilson_ends(p, n_effective, t.ppf(0.975, 71))
    assert (own.low, own.high) == pytest.approx((float(low), float(high)))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_intervals_contain_their_mean_and_stay_within_the_metrics_range(data):
    name = data.draw(st.sampled_from(sorted(METRICS)))
    n_seeds, n_texts = data.draw(st.integers(1, 4)), data.draw(st.integers(2, 10))
    truth = data.draw(arrays(np.float64, n_texts, elements=LABELS[name]))
    predicted = data.draw(arrays(np.float64, (n_seeds, n_texts), elements=LABELS[name]))
    own = estimate(scores_of(METRICS[name], truth, dict(enumerate(predicted))))
    low, high = METRICS[name].bounds
    assert low - 1e-9 <= own.low <= own.mean <= own.high <= high + 1e-9
    assert 0 <= own.p <= 1


@pytest.mark.parametrize("name", NOT_MEANS)
def test_a_clear_gain_is_found_by_any_metric(name):
    truth, first, second = drawn(name, np.random.default_rng(5), 5, n_texts=300, gain=1.0)
    a, b = (scores_of(METRICS[name], truth, each) for each in (first, second))
    own = estimate(a - b)
    by_seed = [METRICS[name](truth, first[seed]) - METRICS[name](truth, second[seed]) for seed in first]
    assert own.mean == pytest.approx(np.mean(by_seed))
    assert own.sd_seeds == pytest.approx(np.std(by_seed, ddof=1))
    assert own.low > 0
    assert own.p < 0.001


@pytest.mark.parametrize("name", ["f1", "matthews", pytest.param("spearman", marks=pytest.mark.long)])
def test_intervals_of_other_metrics_cover_the_mean_of_all_fits_at_about_their_level(name):
    rng = np.random.default_rng(7)
    fits = [drawn(name, rng, 1, sd_seeds=0.1) for _ in range(400)]
    everywhere = np.mean([METRICS[name](truth, first[0]) for truth, first, _ in fits])
    hits = []
    for _ in range(150):
        truth, first, _ = drawn(name, rng, 5, sd_seeds=0.1)
        own = estimate(scores_of(METRICS[name], truth, first))
        hits.append(own.low <= everywhere <= own.high)
    assert 0.90 <= np.mean(hits) <= 0.99


@pytest.mark.parametrize("name", ["f1", "matthews", pytest.param("pearson", marks=pytest.mark.long)])
def test_equal_schemes_are_rarely_called_different_by_other_metrics(name):
    rng, p = np.random.default_rng(11), []
    for _ in range(200):
        truth, first, second = drawn(name, rng, 5, n_texts=150, sd_seeds=0.1)
        p.append(estimate(scores_of(METRICS[name], truth, first) - scores_of(METRICS[name], truth, second)).p)
    assert np.mean(np.array(p) < 0.05) <= 0.09


def test_the_overall_score_of_several_tasks_has_the_variances_of_their_texts_and_of_the_seeds():
    rng, seeds = np.random.default_rng(8), 5
    a, b = (rng.integers(0, 2, (seeds, n)).astype(float) for n in (40, 90))
    both = combined_scores(
        {"a": table(a, (0, 1)), "b": table(b, (0, 1))}, lambda each: 0.5 * each["a"] + 0.5 * each["b"]
    )
    found = variance_of_mean(both.by_seed, both.by_text)
    of_seeds = (0.5 * a.mean(axis=1) + 0.5 * b.mean(axis=1)).var(ddof=1) / seeds
    alone = [variance_of_mean(each.mean(axis=1), [each]) for each in (a, b)]
    of_texts = sum(0.25 * each.mean(axis=0).var(ddof=1) / each.shape[1] for each in (a, b))
    of_rest = sum(0.25 * float(one.rest) / each.size for one, each in zip(alone, (a, b), strict=True))
    assert float(found.of_mean) == pytest.approx(max(of_seeds + of_texts - of_rest, 0.5 * max(of_texts, of_rest)))
