"""Weighted metrics against the metrics themselves."""

import numpy as np
import pytest
from drawn import LABELS, METRICS
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune_alf.metrics import sample_metric


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_weighted_metric_equals_the_metric_on_repeated_texts(name: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    truth, predicted = (data.draw(arrays(np.float64, n, elements=LABELS[name])) for _ in range(2))
    weights = data.draw(arrays(np.int64, (3, n), elements=st.integers(0, 4)).filter(lambda w: w.sum(1).all()))
    metric = sample_metric(name, data.draw(st.sampled_from([2, 3])))
    repeated = [metric(np.repeat(truth, row), np.repeat(predicted, row)) for row in weights]
    assert metric.weighted(truth, predicted, weights.astype(float)) == pytest.approx(repeated, abs=1e-9)
