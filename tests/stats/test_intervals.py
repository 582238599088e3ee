"""Wilson's interval agrees with SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from finetune_alf.errors import InputError
from finetune_alf.stats import wilson_interval


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_agrees_with_scipy(n: int, share: float) -> None:
    k = round(share * n)
    ours, theirs = wilson_interval(k, n), binomtest(k, n).proportion_ci(method="wilson")
    assert (ours.mean, ours.low, ours.high) == pytest.approx((k / n, theirs.low, theirs.high), abs=1e-9)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(InputError, match="from 0 to n"):
        wilson_interval(3, 2)
