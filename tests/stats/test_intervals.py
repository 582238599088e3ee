"""Confidence intervals agree with known cases and have their stated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from finetune_alf.errors import InputError
from finetune_alf.stats import Interval, accuracy_interval, crossed_bootstrap, wilson_interval

correctness = st.tuples(st.integers(1, 4), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 1))
)


def assert_close(interval: Interval, mean: float, low: float, high: float) -> None:
    assert (interval.mean, interval.low, interval.high) == pytest.approx((mean, low, high), abs=1e-9)


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_agrees_with_scipy(n: int, share: float) -> None:
    k = round(share * n)
    theirs = binomtest(k, n).proportion_ci(method="wilson")
    assert_close(wilson_interval(k, n), k / n, theirs.low, theirs.high)


@given(correct=correctness)
def test_one_seed_gives_wilsons_interval(correct: np.ndarray) -> None:
    row = correct[:1]
    ours, wilsons = accuracy_interval(row), wilson_interval(row.sum(), row.size)
    assert_close(ours, wilsons.mean, wilsons.low, wilsons.high)


@given(correct=correctness)
def test_every_interval_contains_its_mean_and_stays_in_0_to_1(correct: np.ndarray) -> None:
    for interval in (accuracy_interval(correct), crossed_bootstrap(correct, 50, 1)):
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1
        assert interval.mean == pytest.approx(correct.mean())


@given(correct=correctness)
def test_swapping_correct_and_wrong_mirrors_the_interval(correct: np.ndarray) -> None:
    ours, mirrored = accuracy_interval(correct), accuracy_interval(1 - correct)
    assert_close(ours, 1 - mirrored.mean, 1 - mirrored.high, 1 - mirrored.low)
    ours, mirrored = crossed_bootstrap(correct, 50, 1), crossed_bootstrap(1 - correct, 50, 1)
    assert_close(ours, 1 - mirrored.mean, 1 - mirrored.high, 1 - mirrored.low)


@given(correct=correctness)
def test_the_order_of_seeds_and_texts_does_not_change_the_mean_interval(correct: np.ndarray) -> None:
    ours, turned = accuracy_interval(correct), accuracy_interval(correct[::-1, ::-1])
    assert_close(ours, turned.mean, turned.low, turned.high)


def test_seeds_that_disagree_widen_the_interval() -> None:
    agree = np.tile(np.repeat([1, 0], 100), (2, 1))
    disagree = np.vstack([np.repeat([1, 0], [150, 50]), np.repeat([1, 0], [50, 150])])
    for interval in (accuracy_interval, lambda correct: crossed_bootstrap(correct, 500, 1)):
        near, far = interval(agree), interval(disagree)
        assert far.high - far.low > 2 * (near.high - near.low)


def fits(rng: np.random.Generator, n_seeds: int, n_texts: int) -> np.ndarray:
    """Correctness of fits that vary by seed, on texts that vary in difficulty, with noise."""
    logits = 1.5 + rng.normal(0, 0.15, (n_seeds, 1)) + rng.normal(0, 1.5, (1, n_texts))
    return (rng.random((n_seeds, n_texts)) < 1 / (1 + np.exp(-logits - rng.normal(0, 1, (n_seeds, n_texts))))).astype(
        int
    )


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_intervals_cover_the_true_mean_at_about_their_level(n_seeds: int) -> None:
    rng = np.random.default_rng(7)
    true = fits(rng, 2000, 500).mean()
    n_rounds, hits = 200, np.zeros(2)
    for index in range(n_rounds):
        correct = fits(rng, n_seeds, 300)
        both = (crossed_bootstrap(correct, 200, index), accuracy_interval(correct))
        hits += [interval.low <= true <= interval.high for interval in both]
    assert (hits / n_rounds >= 0.90).all()


def test_the_bootstrap_is_a_function_of_its_seed() -> None:
    correct = np.random.default_rng(3).integers(0, 2, (2, 50))
    assert crossed_bootstrap(correct, 100, 5) == crossed_bootstrap(correct, 100, 5)
    assert crossed_bootstrap(correct, 100, 5) != crossed_bootstrap(correct, 100, 6)


def test_with_classes_the_mean_is_the_balanced_accuracy() -> None:
    correct, truth = np.array([[1] * 90 + [0] * 10]), np.array([0] * 80 + [1] * 20)
    interval = crossed_bootstrap(correct, 300, 1, classes=truth)
    assert interval.mean == pytest.approx((1.0 + 0.5) / 2)
    assert 0.6 < interval.low < 0.75 < interval.high < 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), "from 0 to n"),
        (lambda: accuracy_interval([0, 1, 1]), "n_seeds, n_texts"),
        (lambda: accuracy_interval([[]]), "n_seeds, n_texts"),
        (lambda: accuracy_interval([[0, 2]]), "0 and 1, but got 2"),
        (lambda: crossed_bootstrap([[0.0, float("nan")]]), "finite"),
        (lambda: crossed_bootstrap([[0, 1]], classes=[0]), "one for each of the 2 texts"),
    ],
)
def test_invalid_input_is_refused(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
