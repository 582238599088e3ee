"""Replicates: exact sign flips, the t interval with samples fixed, equivalence, and power."""

import itertools

import numpy as np
import pytest
from scipy.stats import permutation_test, t, ttest_1samp

from finetune_alf.errors import InputError
from finetune_alf.stats.replicates import (
    MAX_EXACT,
    contrasts,
    equivalence_p,
    needed_replicates,
    replicate_mean,
    sign_flip_p,
    smallest_shown,
)

RNG = np.random.default_rng(1)
TWO = {"a": [0.03, 0.01, 0.02], "b": [0.00, 0.02, -0.02]}


def test_the_mean_is_over_samples_and_its_spread_within_them() -> None:
    found = replicate_mean(TWO)
    assert found.mean == pytest.approx(0.01)
    assert found.sd == pytest.approx(np.sqrt((0.0002 + 0.0008) / 4))
    assert (found.df, found.n_replicates) == (4, 6)
    half = t.ppf(0.975, 4) * found.sd / np.sqrt(6)
    assert (found.low, found.high) == pytest.approx((0.01 - half, 0.01 + half))


def test_one_sample_is_a_t_test_and_samples_of_unequal_size_weigh_the_same() -> None:
    values = [0.02, 0.01, -0.01, 0.03]
    interval = ttest_1samp(values, 0).confidence_interval()
    found = replicate_mean({"a": values})
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert replicate_mean({"a": [0.0, 0.0], "b": [0.03, 0.03, 0.03, 0.03]}).mean == pytest.approx(0.015)


def test_one_replicate_a_sample_has_a_mean_and_no_spread() -> None:
    found = replicate_mean({"a": [0.02], "b": [0.04]})
    assert (found.mean, found.low, found.sd, found.df) == (pytest.approx(0.03), None, None, 0)
    assert smallest_shown(found) is None
    assert equivalence_p(found, 1.0) == 1.0
    with pytest.raises(InputError, match="at least one a sample"):
        replicate_mean({"a": []})


def test_all_sign_flips_are_counted() -> None:
    """Six replicates of one sign: both extremes of 2**6."""
    assert sign_flip_p({"a": [1, 2, 3], "b": [4, 5, 6]}) == 2 / 64
    assert sign_flip_p({"a": [1, 1, 1]}) == 2 / 8
    assert sign_flip_p({"a": [1, -1], "b": [2, -2]}) == 1.0
    assert sign_flip_p({"a": [0, 0, 0]}) == 1.0


@pytest.mark.parametrize("sizes", [(5,), (3, 4), (2, 5, 3)])
def test_sign_flips_are_those_of_the_definition_with_samples_of_equal_weight(sizes: tuple[int, ...]) -> None:
    values = {str(index): RNG.normal(0.3, 1, size) for index, size in enumerate(sizes)}
    weighted = np.concatenate([own / len(own) for own in values.values()])
    sums = np.array([np.dot(signs, weighted) for signs in itertools.product((1, -1), repeat=len(weighted))])
    assert sign_flip_p(values) == pytest.approx(np.mean(np.abs(sums) >= abs(weighted.sum()) - 1e-12))


def test_sign_flips_of_one_sample_are_those_of_scipy() -> None:
    values = RNG.normal(0.4, 1, 12)
    expected = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_p({"a": values}) == pytest.approx(expected)


def test_of_many_replicates_flips_are_drawn_and_agree_with_the_exact_count() -> None:
    values = RNG.normal(0.3, 1, MAX_EXACT)
    exact = sign_flip_p({"a": values})
    assert sign_flip_p({"a": [*values, 0.0]}) == pytest.approx(exact, abs=0.005)  # a 0 changes no sum


def test_equivalence_is_two_one_sided_tests() -> None:
    found = replicate_mean(TWO)
    se = found.standard_error
    expected = max(t.sf((found.mean + 0.02) / se, 4), t.cdf((found.mean - 0.02) / se, 4))
    assert equivalence_p(found, 0.02) == pytest.approx(expected)
    assert equivalence_p(found, 0.0) > 0.5
    assert equivalence_p(replicate_mean({"a": [0.0, 0.0]}), 0.01) == 0.0


def test_the_smallest_difference_is_found_in_80_percent_of_studies() -> None:
    """At the level of a third of .05, by the t test; the sign-flip test finds nearly as many."""
    rng, n_samples, n = np.random.default_rng(3), 4, 6
    df = n_samples * (n - 1)
    reach = (t.ppf(1 - 0.05 / 6, df) + t.ppf(0.8, df)) / np.sqrt(n_samples * n)
    draws = [{str(s): rng.normal(reach, 1, n) for s in range(n_samples)} for _ in range(400)]
    found = [replicate_mean(each) for each in draws]
    assert np.mean([smallest_shown(each, 3) for each in found]) == pytest.approx(reach, rel=0.05)
    is_shown = [abs(each.mean / each.standard_error) > t.ppf(1 - 0.05 / 6, df) for each in found]
    assert 0.74 <= np.mean(is_shown) <= 0.86
    assert 0.70 <= np.mean([sign_flip_p(each) < 0.05 / 3 for each in draws]) <= 0.86


def test_the_number_of_replicates_is_the_least_that_shows_the_difference() -> None:
    n = needed_replicates(0.02, 4, 0.01, 3)
    reached = {k: (t.ppf(1 - 0.05 / 6, 4 * k - 4) + t.ppf(0.8, 4 * k - 4)) * 0.02 / np.sqrt(4 * k) for k in (n - 1, n)}
    assert reached[n] <= 0.01 < reached[n - 1]
    assert needed_replicates(1.0, 4, 0.0001, most=50) is None


def test_a_family_is_corrected_together_and_each_contrast_has_its_decision() -> None:
    noise = np.tile([0.0005, -0.0005, 0.001, -0.001, 0.0002, -0.0002], 2)
    family = {
        "gain": {"a": 0.03 + noise, "b": 0.05 + noise},
        "small gain": {"a": 0.004 + noise, "b": 0.004 + noise},
        "equal": {"a": noise, "b": noise},
        "loss": {"a": -0.03 + noise, "b": -0.05 + noise},
        "noisy": {"a": [0.1, -0.1, 0.05], "b": [-0.06, 0.02, 0.0]},
    }
    found = contrasts(family, 0.01)
    assert [found[name].decision for name in family] == [
        "better",
        "better within the margin",
        "no practical difference",
        "worse",
        None,
    ]
    assert found["gain"].p == 2 / 2**24
    assert found["gain"].p_holm == 5 * found["gain"].p
    assert found["noisy"].p_holm == 1.0
