"""Metrics by name: the values of scikit-learn and SciPy, and 0.0 where they are undefined."""

import math
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from finetune_alf.metric_names import PROBLEM_TYPES, MetricName, metrics_for
from finetune_alf.metrics import constant_predictions, label_arrays, majority_baseline, sample_metric

answers = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)
many = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)
numbers = st.floats(-10, 10, allow_subnormal=False).map(lambda x: round(x, 3))
scores = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40)
sets = st.sets(st.integers(0, 3)).map(lambda classes: tuple(sorted(classes)))
several = st.lists(st.tuples(sets, sets), min_size=1, max_size=40)
DRAWN = {
    "classification": st.integers(0, 2),
    "multi_label": sets,
    "regression": st.floats(-1e300, 1e300),
}


@settings(deadline=None)
@given(answers)
def test_f1_of_two_classes_is_that_of_the_second(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    theirs = sklearn.metrics.f1_score(truth, predicted, pos_label=1, zero_division=0.0)
    assert sample_metric("f1", 2)(truth, predicted) == pytest.approx(theirs)


@settings(deadline=None)
@given(many)
def test_f1_of_more_classes_is_the_mean_over_those_that_occur_or_are_predicted(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    theirs = sklearn.metrics.f1_score(truth, predicted, average="macro", zero_division=0.0)
    assert sample_metric("f1", 4)(truth, predicted) == pytest.approx(theirs)


@pytest.mark.parametrize(("n_classes", "value"), [(2, 4 / 5), (3, (2 / 3 + 4 / 5) / 2)])
def test_f1_is_over_the_samples_classes_where_a_split_shows_two_of_them(n_classes: int, value: float) -> None:
    metric, truth, predicted = sample_metric("f1", n_classes), [0, 0, 1, 1], [0, 1, 1, 1]
    assert metric(truth, predicted) == pytest.approx(value)
    assert metric.weighted(np.array(truth), np.array(predicted), np.ones((1, 4))) == pytest.approx([value])
    assert majority_baseline(metric, [1, 1, 0, 1]) == pytest.approx({2: 6 / 7, 3: 3 / 7}[n_classes])


@settings(deadline=None)
@given(many)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_accuracies_are_scikit_learns(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    assert sample_metric("accuracy", 4)(truth, predicted) == pytest.approx(
        sklearn.metrics.accuracy_score(truth, predicted)
    )
    theirs = sklearn.metrics.balanced_accuracy_score(truth, predicted)
    assert sample_metric("balanced_accuracy", 4)(truth, predicted) == pytest.approx(theirs)


@settings(max_examples=15, deadline=None)
@given(several)
def test_f1_of_sets_of_classes_is_scikit_learns(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    true, guessed = label_arrays((truth, predicted))
    micro = sklearn.metrics.f1_score(true, guessed, average="micro", zero_division=0.0)
    assert sample_metric("micro_f1", 4)(truth, predicted) == pytest.approx(micro)
    each = sklearn.metrics.f1_score(true, guessed, average=None, zero_division=0.0)
    occurring = (true + guessed).any(0)
    macro = each[occurring].mean() if occurring.any() else 0.0
    assert sample_metric("macro_f1", 4)(truth, predicted) == pytest.approx(macro)
    exact = sklearn.metrics.accuracy_score(true, guessed)
    assert sample_metric("subset_accuracy", 4)(truth, predicted) == pytest.approx(exact)


def test_f1_of_sets_of_classes_counts_pairs_of_a_text_and_a_class() -> None:
    truth, predicted = [(0,), (0, 2), (), (1,)], [(0,), (2,), (1,), ()]
    assert sample_metric("micro_f1", 3)(truth, predicted) == 2 * 2 / (4 + 3)
    assert sample_metric("macro_f1", 3)(truth, predicted) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert sample_metric("subset_accuracy", 3)(truth, predicted) == 0.25


def test_the_macro_f1_of_classes_is_that_of_sets_of_one_class() -> None:
    truth, predicted = [0, 1, 2, 2, 1], [0, 2, 2, 2, 1]
    metric = sample_metric("macro_f1", 3)
    assert metric(truth, predicted) == pytest.approx(metric([(n,) for n in truth], [(n,) for n in predicted]))


@settings(deadline=None)
@given(many)
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_matthews_is_scikit_learns(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    theirs = sklearn.metrics.matthews_corrcoef(truth, predicted)
    assert sample_metric("matthews", 4)(truth, predicted) == pytest.approx(theirs)


@settings(deadline=None)
@given(scores)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_correlations_are_scipys_and_0_where_it_has_none(pairs) -> None:
    truth, predicted = zip(*pairs, strict=True)
    is_constant = 1 in (len(set(truth)), len(set(predicted)))
    for name, theirs in (("pearson", pearsonr), ("spearman", spearmanr)):
        expected = 0.0 if is_constant else theirs(truth, predicted).statistic
        assert sample_metric(name, 0)(truth, predicted) == pytest.approx(expected)


@pytest.mark.parametrize("name", PROBLEM_TYPES)
@settings(deadline=None)
@given(data=st.data())
def test_no_metric_is_ever_nan(name: str, data: st.DataObject) -> None:
    drawn = DRAWN[data.draw(st.sampled_from(PROBLEM_TYPES[name]))]
    truth, predicted = zip(*data.draw(st.lists(st.tuples(drawn, drawn), min_size=1, max_size=8)), strict=True)
    assert all(math.isfinite(sample_metric(name, n_classes)(truth, predicted)) for n_classes in (2, 3))


@pytest.mark.parametrize(
    ("name", "truth", "value"),
    [
        ("accuracy", [0, 1, 1, 1], 0.75),
        ("balanced_accuracy", [0, 1, 1, 1], 0.5),
        ("f1", [0, 1, 1, 1], 6 / 7),
        ("f1", [0, 0, 0, 1], 0.0),
        ("matthews", [0, 1, 1, 1], 0.0),
        ("pearson", [0.5, 1.5, 4.0], 0.0),
        ("spearman", [0.5, 1.5, 4.0], 0.0),
        ("micro_f1", [(), (0,), (0, 1), (), ()], 2 * 2 / (3 + 5)),
        ("macro_f1", [(), (0,), (0, 1), (), ()], (2 * 2 / 7 + 2 / 6) / 2),
        ("subset_accuracy", [(), (0,), (0, 1), (), ()], 0.6),
        ("micro_f1", [(), ()], 0.0),
    ],
)
def test_the_majority_baseline_is_the_score_of_constant_predictions(
    name: str, truth: list[float | tuple[int, ...]], value: float
) -> None:
    assert majority_baseline(sample_metric(name, 2), truth) == pytest.approx(value)


@pytest.mark.parametrize("name", metrics_for("multi_label"))
@pytest.mark.parametrize("truth", [[(0, 1), (1,), ()], [(), (), (), (0,), (1, 2)], [(2,), (1, 2), (0, 2), (2,)]])
def test_no_constant_set_scores_higher_than_the_baseline(name: str, truth: list[tuple[int, ...]]) -> None:
    constants = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    metric = sample_metric(name, 3)
    best = max(metric(truth, [one] * len(truth)) for one in constants)
    assert majority_baseline(metric, truth) == pytest.approx(best)
    assert len(set(constant_predictions(metric, truth))) == 1


def test_every_metric_has_a_name_and_a_problem_type() -> None:
    assert get_args(MetricName) == tuple(PROBLEM_TYPES)
    assert metrics_for("classification") == ("accuracy", "balanced_accuracy", "f1", "macro_f1", "matthews")
    assert metrics_for("multi_label") == ("micro_f1", "macro_f1", "subset_accuracy")
    assert metrics_for("regression") == ("pearson", "spearman")


def test_importing_metrics_imports_neither_scikit_learn_nor_scipy() -> None:
    program = "import sys, finetune_alf.metrics as m; m.ACCURACY([0], [0]); "
    program += "print({'sklearn', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
