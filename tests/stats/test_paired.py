"""The paired difference: its p against the exact McNemar test and against an enumeration of all sign flips."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from finetune_alf.errors import InputError
from finetune_alf.stats import NO_EVIDENCE, paired_difference, sign_flip_p, verdict


def pairs(n_seeds: int, n_texts: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, (2, n_seeds, n_texts), elements=st.integers(0, 1))


@given(both=st.integers(1, 60).flatmap(lambda n_texts: pairs(1, n_texts)))
def test_with_one_seed_p_is_mcnemars_exact(both: np.ndarray) -> None:
    a, b = both
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    n_discordant = only_a + only_b
    mcnemar = binomtest(only_a, n_discordant).pvalue if n_discordant else 1.0
    assert paired_difference(a, b, 1, 10).p == pytest.approx(mcnemar)


@given(both=st.tuples(st.integers(1, 3), st.integers(1, 8)).flatmap(lambda shape: pairs(*shape)))
def test_p_is_the_share_of_all_sign_flips_that_are_as_extreme(both: np.ndarray) -> None:
    sums = (both[0] - both[1]).sum(axis=0)
    flips = [abs(int((sums * signs).sum())) for signs in itertools.product([-1, 1], repeat=len(sums))]
    assert sign_flip_p(both[0] - both[1]) == pytest.approx(np.mean(np.array(flips) >= abs(sums.sum())))


@given(both=st.tuples(st.integers(1, 3), st.integers(1, 30)).flatmap(lambda shape: pairs(*shape)))
def test_swapping_the_schemes_only_changes_the_sign(both: np.ndarray) -> None:
    there, back = paired_difference(both[0], both[1], 1, 50), paired_difference(both[1], both[0], 1, 50)
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert there.p == pytest.approx(back.p)
    assert 0 < there.p <= 1


def test_a_scheme_does_not_differ_from_itself() -> None:
    correct = np.random.default_rng(0).integers(0, 2, (3, 200))
    difference = paired_difference(correct, correct, 1, 100)
    assert (difference.mean, difference.low, difference.high, difference.p) == (0, 0, 0, 1)


def correctness(rng: np.random.Generator, hardness: np.ndarray, n_seeds: int, gain: float) -> np.ndarray:
    logits = 1.5 + gain + rng.normal(0, 0.15, (n_seeds, 1)) + rng.normal(0, 1, (n_seeds, hardness.size)) + hardness
    return (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(int)


@pytest.mark.parametrize("n_seeds", [2, 3])
def test_equal_schemes_with_different_seeds_are_rarely_called_different(n_seeds: int) -> None:
    rng = np.random.default_rng(11)
    called = []
    for index in range(200):
        hardness = rng.normal(0, 1.5, 300)
        difference = paired_difference(
            correctness(rng, hardness, n_seeds, 0), correctness(rng, hardness, n_seeds, 0), index, 200
        )
        called.append(verdict(difference, difference.p) != NO_EVIDENCE)
    assert np.mean(called) <= 0.05


def test_a_clear_gain_is_found() -> None:
    rng = np.random.default_rng(5)
    hardness = rng.normal(0, 1.5, 500)
    difference = paired_difference(correctness(rng, hardness, 3, 1.5), correctness(rng, hardness, 3, 0), 1, 500)
    assert verdict(difference, difference.p) == "better"


def test_many_discordant_texts_do_not_overflow() -> None:
    differences = np.repeat([[1, -1]], [11_000, 9_000], axis=1)
    assert 0 <= sign_flip_p(differences) < 1e-40


def test_different_texts_are_refused() -> None:
    with pytest.raises(InputError, match=r"same seeds and texts, but got shapes \(1, 2\) and \(1, 3\)"):
        paired_difference([[0, 1]], [[0, 1, 1]])
