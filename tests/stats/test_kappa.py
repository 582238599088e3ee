"""Cohen's kappa of all pairs of fits, against scikit-learn's and values worked out by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from finetune_alf.stats.kappa import cohens_kappas


def test_kappa_is_the_share_of_the_agreement_that_chance_leaves():
    # half of the texts agree, and by chance half would: .5; three of four agree, and by chance half would
    kappas = cohens_kappas(np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 0]]), 2)
    assert kappas[0, 1] == pytest.approx(0)
    assert kappas[0, 2] == pytest.approx((3 / 4 - 1 / 2) / (1 - 1 / 2))
    assert np.diagonal(kappas) == pytest.approx(1)


def test_it_is_undefined_where_both_predict_one_class_alone():
    kappas = cohens_kappas(np.array([[1, 1, 1], [1, 1, 1], [1, 0, 1], [0, 0, 0]]), 2)
    assert np.isnan(kappas[0, 1])
    assert kappas[0, 2] == 0
    assert kappas[0, 3] == 0


@given(arrays(np.int64, (2, 15), elements=st.integers(0, 2)))
def test_it_is_that_of_scikit_learn(both):
    assume(len(np.unique(both)) > 1)
    expected = cohen_kappa_score(*both, labels=[0, 1, 2])
    assert cohens_kappas(both, 3)[0, 1] == pytest.approx(expected)
