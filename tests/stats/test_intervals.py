"""Wilson's interval agrees with SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from finetune_alf.stats import wilson_ends


@given(n=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_agrees_with_scipy(n: int, share: float) -> None:
    k = round(share * n)
    ours, theirs = wilson_ends(k / n, n), binomtest(k, n).proportion_ci(method="wilson")
    assert (float(ours[0]), float(ours[1])) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
