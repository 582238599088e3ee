"""The exact test over texts, against McNemar's and against an enumeration of all sign flips."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest

from finetune_alf.stats import sign_flip_p


def pairs(n_seeds: int, n_texts: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.int64, (2, n_seeds, n_texts), elements=st.integers(0, 1))


@given(both=st.integers(1, 60).flatmap(lambda n_texts: pairs(1, n_texts)))
def test_with_one_seed_p_is_mcnemars_exact(both: np.ndarray) -> None:
    a, b = both
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    n_discordant = only_a + only_b
    mcnemar = binomtest(only_a, n_discordant).pvalue if n_discordant else 1.0
    assert sign_flip_p(a - b) == pytest.approx(mcnemar)


@given(both=st.tuples(st.integers(1, 3), st.integers(1, 8)).flatmap(lambda shape: pairs(*shape)))
def test_p_is_the_share_of_all_sign_flips_that_are_as_extreme(both: np.ndarray) -> None:
    sums = (both[0] - both[1]).sum(axis=0)
    flips = [abs(int((sums * signs).sum())) for signs in itertools.product([-1, 1], repeat=len(sums))]
    assert sign_flip_p(both[0] - both[1]) == pytest.approx(np.mean(np.array(flips) >= abs(sums.sum())))


@given(both=st.tuples(st.integers(1, 3), st.integers(1, 30)).flatmap(lambda shape: pairs(*shape)))
def test_swapping_the_schemes_does_not_change_p(both: np.ndarray) -> None:
    assert sign_flip_p(both[0] - both[1]) == pytest.approx(sign_flip_p(both[1] - both[0]))


def test_many_discordant_texts_do_not_overflow() -> None:
    differences = np.repeat([[1, -1]], [11_000, 9_000], axis=1)
    assert 0 <= sign_flip_p(differences) < 1e-40
