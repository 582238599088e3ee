"""Scores of fits, and what each text contributes to them: pseudo-values against their definition."""

import numpy as np
import pytest
from drawn import LABELS, METRICS, NOT_MEANS, drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune_alf.errors import InputError
from finetune_alf.metrics import sample_metric
from finetune_alf.stats import combined_scores, estimate, scores, scores_of


def test_the_parts_of_an_accuracy_are_right_and_wrong():
    own = scores_of(METRICS["accuracy"], [0, 1, 1, 0], {7: [0, 1, 0, 0], 9: [1, 1, 1, 0]})
    assert own.by_text[0].tolist() == [[1, 1, 0, 1], [0, 1, 1, 1]]
    assert (own.seeds, own.by_seed.tolist(), own.is_proportion) == ((7, 9), [0.75, 0.75], True)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_parts_are_pseudo_values_by_their_definition(name, data):
    n = data.draw(st.integers(3, 12))
    truth, predicted = (data.draw(arrays(np.float64, n, elements=LABELS[name])) for _ in range(2))
    metric = sample_metric(name, data.draw(st.sampled_from([2, 3])))
    own, score = scores_of(metric, truth, {1: predicted}), metric(truth, predicted)
    without = [metric(np.delete(truth, text), np.delete(predicted, text)) for text in range(n)]
    assert own.by_seed == pytest.approx([score], abs=1e-9)
    assert own.by_text[0][0] == pytest.approx([n * score - (n - 1) * each for each in without], abs=1e-7)


def test_many_texts_are_left_out_in_groups_of_a_size(monkeypatch):
    truth, first, _ = drawn("spearman", np.random.default_rng(0), 1, n_texts=23)
    monkeypatch.setattr(scores, "MAX_UNITS", 10)
    own = scores_of(METRICS["spearman"], truth, first)
    assert own.by_text[0].shape == (1, 8)  # seven groups of three texts and one of two
    kept = np.arange(3, 23)
    without = METRICS["spearman"](truth[kept], first[0][kept])
    assert own.by_text[0][0, 0] == pytest.approx(8 * own.by_seed[0] - 7 * without)


@pytest.mark.parametrize("name", NOT_MEANS)
def test_the_blocks_of_weights_do_not_change_the_parts(name, monkeypatch):
    truth, first, _ = drawn(name, np.random.default_rng(1), 1, n_texts=30)
    whole = scores_of(METRICS[name], truth, first).by_text[0]
    monkeypatch.setattr(scores, "_MAX_WEIGHTS", 70)
    assert np.array_equal(scores_of(METRICS[name], truth, first).by_text[0], whole)


@pytest.mark.parametrize("name", ["f1", "matthews", "pearson", "spearman", "balanced_accuracy"])
def test_the_variance_over_texts_is_that_of_resampled_texts(name):
    truth, first, _ = drawn(name, np.random.default_rng(3), 1, n_texts=400)
    rng = np.random.default_rng(4)
    resamples = rng.multinomial(400, np.full(400, 1 / 400), size=1500).astype(float)
    bootstrap = METRICS[name].weighted(truth.astype(float), first[0].astype(float), resamples).std()
    parts = scores_of(METRICS[name], truth, first).by_text[0]
    assert parts.std(ddof=1) / 20 == pytest.approx(bootstrap, rel=0.12)


def test_differences_are_over_the_seeds_that_both_have():
    a = scores_of(METRICS["accuracy"], [0, 1], {1: [0, 1], 2: [0, 0], 3: [1, 0]})
    b = scores_of(METRICS["accuracy"], [0, 1], {3: [0, 0], 1: [1, 1]})
    difference = a - b
    assert (difference.seeds, difference.by_seed.tolist()) == ((1, 3), [0.5, -0.5])
    assert difference.by_text[0].tolist() == [[1, 0], [-1, 0]]
    assert (difference.bounds, difference.is_proportion) == ((-1.0, 1.0), False)
    assert (a - scores_of(METRICS["accuracy"], [0, 1], {9: [0, 0]})).seeds == ()


def test_several_tasks_have_one_score_whose_texts_are_left_out_of_their_task():
    rng = np.random.default_rng(5)
    by_task = {}
    for task, name, n_texts in (("a", "accuracy", 9), ("b", "pearson", 7)):
        truth, first, _ = drawn(name, rng, 2, n_texts=n_texts)
        by_task[task] = (name, truth, first)

    def lowest_and_product(each):
        return 0.5 * min(each.values()) + 0.5 * each["a"] * each["b"]

    own = {task: scores_of(METRICS[name], truth, first) for task, (name, truth, first) in by_task.items()}
    overall = combined_scores(own, lowest_and_product)
    exact = {
        task: [METRICS[name](truth, row) for row in first.values()] for task, (name, truth, first) in by_task.items()
    }
    assert overall.by_seed == pytest.approx(
        [lowest_and_product({"a": exact["a"][i], "b": exact["b"][i]}) for i in (0, 1)]
    )
    name, truth, first = by_task["b"]
    without = METRICS[name](np.delete(truth, 4), np.delete(first[1], 4))
    left_out = lowest_and_product({"a": exact["a"][1], "b": without})
    assert overall.by_text[1][1, 4] == pytest.approx(7 * overall.by_seed[1] - 6 * left_out)
    assert [part.shape for part in overall.by_text] == [(2, 9), (2, 7)]
    assert overall.bounds == (-0.5, 1.0)


@pytest.mark.parametrize("name", METRICS)
def test_a_scheme_does_not_differ_from_itself(name):
    truth, first, _ = drawn(name, np.random.default_rng(0), 2)
    own = scores_of(METRICS[name], truth, first)
    same = estimate(own - scores_of(METRICS[name], truth, first))
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("name", "other"), [("pearson", lambda s: 10 * s + 3), ("spearman", lambda s: 10 * s + 3), ("spearman", np.exp)]
)
def test_the_comparison_of_correlations_ignores_the_scale_of_a_schemes_scores(name, other):
    truth, first, second = drawn(name, np.random.default_rng(2), 2, gain=0.1)
    a, b, scaled = (
        scores_of(METRICS[name], truth, each)
        for each in (first, second, {seed: other(row) for seed, row in second.items()})
    )
    plain, found = estimate(a - b), estimate(a - scaled)
    assert (found.mean, found.low, found.high, found.p) == pytest.approx((plain.mean, plain.low, plain.high, plain.p))


def test_other_texts_are_refused():
    with pytest.raises(InputError, match=r"one column for each of the 3 texts, but got shape \(1, 2\)"):
        scores_of(METRICS["f1"], [0, 1, 1], {1: [0, 1]})
    with pytest.raises(InputError, match="two texts or more"):
        scores_of(METRICS["accuracy"], [0], {1: [0]})
    with pytest.raises(InputError, match="finite"):
        scores_of(METRICS["accuracy"], [0, 1], {1: [0, float("nan")]})
    two, three = (scores_of(METRICS["accuracy"], [0] * n, {1: [0] * n}) for n in (2, 3))
    with pytest.raises(InputError, match=r"on the same texts, but got \[2\] and \[3\]"):
        two - three
