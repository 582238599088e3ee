"""Metrics of sets of classes under weights, and what each text contributes to them: no mean over texts but one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune_alf.comparison import difference, mean_score, seeds_scores
from finetune_alf.metric_names import metrics_for
from finetune_alf.metrics import label_arrays, sample_metric

NAMES = metrics_for("multi_label")
sets = st.sets(st.integers(0, 3)).map(lambda classes: tuple(sorted(classes)))


def drawn(data, n):
    return tuple(data.draw(st.lists(sets, min_size=n, max_size=n)) for _ in range(2))


def planted(n_texts, n_seeds, seed, gain=0.0):
    """Texts with classes of different frequencies, and predictions that miss some and add others."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n_texts, 4)) < (0.5, 0.3, 0.2, 0.1)
    hardness = rng.normal(0, 1, (n_texts, 1))

    def predicted(more):
        skill = 1.5 + more + rng.normal(0, 0.3, (n_seeds, 1, 1)) + hardness
        return truth ^ (rng.random((n_seeds, n_texts, 4)) > 1 / (1 + np.exp(-skill)))

    def as_sets(rows):
        return [tuple(np.flatnonzero(row).tolist()) for row in rows]

    one, other = (dict(enumerate(map(as_sets, predicted(more)))) for more in (gain, 0.0))
    return as_sets(truth), one, other


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_weighted_metric_equals_the_metric_on_repeated_texts(name, data):
    n = data.draw(st.integers(1, 10))
    truth, predicted = drawn(data, n)
    weights = data.draw(arrays(np.int64, (3, n), elements=st.integers(0, 4)).filter(lambda w: w.sum(1).all()))
    metric = sample_metric(name, 4)

    def repeated(labels, row):
        return [one for one, times in zip(labels, row, strict=True) for _ in range(times)]

    expected = [metric(repeated(truth, row), repeated(predicted, row)) for row in weights]
    found = metric.weighted(*label_arrays((truth, predicted)), weights.astype(float))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_parts_are_pseudo_values_by_their_definition(name, data):
    n = data.draw(st.integers(3, 10))
    truth, predicted = drawn(data, n)
    metric = sample_metric(name, 4)
    own, score = seeds_scores(metric, truth, {1: predicted}), metric(truth, predicted)
    without = [metric(truth[:text] + truth[text + 1 :], predicted[:text] + predicted[text + 1 :]) for text in range(n)]
    assert own.by_seed == pytest.approx([score], abs=1e-9)
    assert own.by_text[0][0] == pytest.approx([n * score - (n - 1) * each for each in without], abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_the_variance_over_texts_is_that_of_resampled_texts(name):
    truth, first, _ = planted(400, 1, seed=3)
    rng = np.random.default_rng(4)
    resamples = rng.multinomial(400, np.full(400, 1 / 400), size=1500).astype(float)
    bootstrap = sample_metric(name, 4).weighted(*label_arrays((truth, first[0])), resamples).std()
    parts = seeds_scores(sample_metric(name, 4), truth, first).by_text[0]
    assert parts.std(ddof=1) / 20 == pytest.approx(bootstrap, rel=0.12)


@pytest.mark.parametrize("name", NAMES)
def test_a_difference_of_schemes_is_found_where_there_is_one_and_not_where_there_is_none(name):
    metric = sample_metric(name, 4)
    truth, better, other = planted(300, 5, seed=0, gain=1.0)
    found = difference(seeds_scores(metric, truth, better), seeds_scores(metric, truth, other))
    assert found is not None
    assert 0 < found.low < found.mean < found.high
    assert found.p < 0.01
    same = [planted(300, 5, seed=seed) for seed in range(1, 9)]
    p = [difference(seeds_scores(metric, t, a), seeds_scores(metric, t, b)).p for t, a, b in same]
    assert sum(each < 0.05 for each in p) <= 2


def test_only_the_subset_accuracy_is_a_proportion_of_texts():
    truth, first, _ = planted(50, 2, seed=1)
    is_proportion = {name: seeds_scores(sample_metric(name, 4), truth, first).is_proportion for name in NAMES}
    assert is_proportion == {"micro_f1": False, "macro_f1": False, "subset_accuracy": True}
    score = mean_score(seeds_scores(sample_metric("subset_accuracy", 4), truth, first))
    assert score.mean == pytest.approx(
        np.mean([t == p for row in first.values() for t, p in zip(truth, row, strict=True)])
    )
