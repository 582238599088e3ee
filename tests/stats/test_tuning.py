"""Tuning curves: the best so far, and the expected best of a subset of independent fits."""

import itertools

import numpy as np
import pytest

from finetune_alf.stats.tuning import expected_selected, selected_so_far


def test_the_curve_follows_the_best_by_validation_the_earliest_of_equal_ones() -> None:
    assert selected_so_far("abcde", [0.5, 0.7, 0.7, 0.6, 0.8], [1, 2, 3, 4, 5]) == [1, 2, 2, 2, 5]


def test_settings_that_are_fitted_again_count_by_their_means() -> None:
    assert selected_so_far("abab", [0.5, 0.7, 0.9, 0.6], [1, 2, 3, 4]) == [1, 2, 2, 2]
    assert selected_so_far("abab", [0.6, 0.7, 0.9, 0.7], [1, 2, 3, 4]) == [1, 2, 2, 2]
    assert selected_so_far("aba", [0.6, 0.7, 0.9], [1, 2, 3]) == [1, 2, 2]


def test_the_expected_curve_is_the_mean_over_all_subsets() -> None:
    validation, test = [0.5, 0.7, 0.7, 0.6, 0.8], [1.0, 2.0, 3.0, 4.0, 2.5]
    for size, expected in enumerate(expected_selected(validation, test), start=1):
        orders = itertools.permutations(range(5), size)  # of equal ones the first drawn is selected
        selected = [test[max(order, key=lambda index: validation[index])] for order in orders]
        assert expected == pytest.approx(np.mean(selected))
