"""Confident learning, against thresholds, counts and margins that were worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune_alf.stats.confident import confident_count

LABELS = [0, 0, 0, 0, 1, 1, 1, 2]
PROBABILITIES = np.array(
    [
        [0.75, 0.125, 0.125],
        [0.625, 0.25, 0.125],
        [0.25, 0.625, 0.125],  # labelled 0, looks like 1
        [0.375, 0.125, 0.5],  # labelled 0, reaches the low threshold of 2 alone
        [0.125, 0.75, 0.125],
        [0.125, 0.625, 0.25],
        [0.5, 0.125, 0.375],  # labelled 1, looks like 0
        [0.5, 0.125, 0.375],  # the only text of 2: its own probability is the threshold
    ]
)


def test_thresholds_joint_and_order_are_those_worked_out_by_hand():
    count = confident_count(LABELS, PROBABILITIES)
    assert count.thresholds.tolist() == [2 / 4, 1.5 / 3, 0.375]
    assert count.likely.tolist() == [0, 0, 1, 2, 1, 1, 0, 0]
    assert count.joint.tolist() == [[2, 1, 1], [1, 2, 0], [1, 0, 0]]
    assert count.margins.tolist() == [0.625, 0.375, -0.375, -0.125, 0.625, 0.375, -0.375, -0.125]
    assert count.errors() == [2, 6, 3, 7]  # by margin, equal ones by row


def test_a_text_that_reaches_no_threshold_is_not_counted():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.55, 0.45]])
    count = confident_count([0, 0, 1, 1], probabilities)
    assert count.thresholds == pytest.approx([0.9, 0.675])
    assert count.likely.tolist() == [0, 0, 1, -1]
    assert count.joint.sum() == 3
    assert count.errors() == []  # the wrong prediction of the last text is not a sure one


def test_a_text_whose_label_is_most_probable_is_no_error_though_another_class_alone_reaches_its_threshold():
    probabilities = np.array([[0.95, 0.05], [0.6, 0.4], [0.7, 0.3], [0.75, 0.25]])
    count = confident_count([0, 0, 1, 1], probabilities)
    assert count.thresholds == pytest.approx([0.775, 0.275])
    assert count.joint.tolist() == [[1, 1], [0, 1]]
    assert count.errors() == []


def test_a_class_without_texts_is_likely_for_none():
    count = confident_count([0, 0, 1], np.array([[0.1, 0.1, 0.8], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1]]))
    assert count.thresholds[2] == np.inf
    assert 2 not in count.likely
    assert count.errors() == []


def test_one_class_alone_has_no_errors():
    count = confident_count([1, 1], np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert count.joint.tolist() == [[0, 0], [0, 1]]
    assert count.errors() == []


def test_equal_probabilities_reach_their_own_mean():
    count = confident_count([0] * 3 + [1] * 3, np.array([[0.7, 0.3]] * 3 + [[0.1, 0.9]] * 3))
    assert count.joint.tolist() == [[3, 0], [0, 3]]


@given(
    labels=arrays(np.int64, 12, elements=st.integers(0, 2)),
    logits=arrays(np.float64, (12, 3), elements=st.floats(-4, 4)),
)
def test_every_error_is_off_the_diagonal_and_below_its_rival(labels, logits):
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    count = confident_count(labels.tolist(), probabilities)
    errors = count.errors()
    assert np.all(np.diff(count.margins[errors]) >= 0)
    for row in errors:
        likely = count.likely[row]
        assert likely != labels[row]
        assert probabilities[row, likely] >= count.thresholds[likely] - 1e-6
        assert probabilities[row].argmax() != labels[row]
    assert len(errors) <= count.joint.sum() - np.trace(count.joint)
