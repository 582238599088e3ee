"""Intervals and paired tests of any metric: weighted texts, the bootstrap, the randomization test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finetune_alf.errors import InputError
from finetune_alf.metrics import PROBLEM_TYPES, metrics_for, sample_metric
from finetune_alf.stats import (
    NO_EVIDENCE,
    crossed_bootstrap,
    paired_difference,
    randomization_p,
    score_difference,
    score_interval,
    verdict,
)

METRICS = {name: sample_metric(name, 3) for name in PROBLEM_TYPES}
CLASSES, SCORES = metrics_for("classification"), metrics_for("regression")
LABELS = {**dict.fromkeys(CLASSES, st.integers(0, 2)), **dict.fromkeys(SCORES, st.integers(-6, 6).map(lambda n: n / 2))}


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


def classified(
    rng: np.random.Generator, n_seeds: int, *, n_texts: int = 200, sd_seeds: float = 0.0, gain: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three unbalanced classes, and two schemes with equal accuracy except for a gain of the first."""
    truth, hardness = rng.choice(3, n_texts, p=(0.5, 0.3, 0.2)), rng.normal(0, 1.5, n_texts)

    def scheme(more: float) -> np.ndarray:
        logits = 1.2 + more + rng.normal(0, sd_seeds, (n_seeds, 1)) + hardness + rng.normal(0, 1, (n_seeds, n_texts))
        wrong = (truth + rng.integers(1, 3, (n_seeds, n_texts))) % 3
        return np.where(rng.random(logits.shape) < 1 / (1 + np.exp(-logits)), truth, wrong)

    return truth, scheme(gain), scheme(0)


def scored(
    rng: np.random.Generator, n_seeds: int, *, n_texts: int = 200, sd_seeds: float = 0.0, gain: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores from 0 to 5 with ties, and two schemes with equal noise except for a gain of the first."""
    truth, hardness = np.round(np.clip(rng.normal(2.5, 1.5, n_texts), 0, 5), 1), rng.normal(0, 0.5, n_texts)

    def scheme(less: float) -> np.ndarray:
        noise = np.exp(rng.normal(-less, sd_seeds, (n_seeds, 1))) * rng.normal(0, 1, (n_seeds, n_texts))
        return truth + hardness + noise

    return truth, scheme(gain), scheme(0)


def drawn(name: str, rng: np.random.Generator, n_seeds: int, **more: float) -> tuple[np.ndarray, ...]:
    return (classified if name in CLASSES else scored)(rng, n_seeds, **more)  # type: ignore[arg-type]


NOT_MEANS = [name for name in METRICS if METRICS[name].is_correct is None]


@pytest.mark.parametrize("name", NOT_MEANS)
def test_p_keeps_its_level_for_equal_schemes(name: str) -> None:
    rng, p = np.random.default_rng(3), []
    for index in range(300):
        truth, a, b = drawn(name, rng, 1, n_texts=80)
        p.append(randomization_p(METRICS[name], truth, a, b, index, 100))
    # 99.8 % intervals of the counts of 300 uniform p values below .05 and .3.
    assert 5 <= np.sum(np.array(p) < 0.05) <= 26
    assert 66 <= np.sum(np.array(p) < 0.3) <= 115


@pytest.mark.parametrize("name", ["f1", "matthews", "spearman"])
def test_equal_schemes_whose_seeds_differ_are_rarely_called_different(name: str) -> None:
    rng, called = np.random.default_rng(11), []
    for index in range(60):
        truth, a, b = drawn(name, rng, 2, n_texts=150, sd_seeds=0.1)
        difference = score_difference(METRICS[name], truth, a, b, index, 100)
        called.append(verdict(difference, difference.p) != NO_EVIDENCE)
    assert np.mean(called) <= 0.06


@pytest.mark.parametrize("name", NOT_MEANS)
def test_a_clear_gain_is_found_and_swapping_the_schemes_only_changes_the_sign(name: str) -> None:
    truth, a, b = drawn(name, np.random.default_rng(5), 3, n_texts=300, gain=1.0)
    there, back = (score_difference(METRICS[name], truth, *pair, 1, 300) for pair in ((a, b), (b, a)))
    assert verdict(there, there.p) == "better"
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert there.p == back.p == pytest.approx(1 / 301)
    by_seed = [METRICS[name](truth, first) - METRICS[name](truth, second) for first, second in zip(a, b, strict=True)]
    assert there.mean == pytest.approx(np.mean(by_seed))


@pytest.mark.parametrize("name", METRICS)
def test_a_scheme_does_not_differ_from_itself(name: str) -> None:
    truth, a, _ = drawn(name, np.random.default_rng(0), 2)
    difference = score_difference(METRICS[name], truth, a, a, 1, 100)
    assert (difference.mean, difference.low, difference.high, difference.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("name", "other"), [("pearson", lambda s: 10 * s + 3), ("spearman", lambda s: 10 * s + 3), ("spearman", np.exp)]
)
def test_the_comparison_of_correlations_ignores_the_scale_of_a_schemes_scores(name: str, other) -> None:
    truth, a, b = scored(np.random.default_rng(2), 2, gain=0.1)
    plain, scaled = (score_difference(METRICS[name], truth, a, scores, 1, 200) for scores in (b, other(b)))
    assert (scaled.mean, scaled.low, scaled.high, scaled.p) == pytest.approx(
        (plain.mean, plain.low, plain.high, plain.p)
    )


def test_accuracy_has_its_exact_test_and_its_own_interval() -> None:
    truth, a, b = classified(np.random.default_rng(4), 2)
    correct_a, correct_b = (predictions == truth for predictions in (a, b))
    assert score_difference(METRICS["accuracy"], truth, a, b, 3, 200) == paired_difference(correct_a, correct_b, 3, 200)
    assert score_interval(METRICS["accuracy"], truth, a, 200, 3) == crossed_bootstrap(correct_a, 200, 3)


@pytest.mark.parametrize("name", ["f1", "matthews", "spearman"])
def test_intervals_cover_the_mean_of_all_fits_at_about_their_level(name: str) -> None:
    rng = np.random.default_rng(7)
    fits = (drawn(name, rng, 1, sd_seeds=0.1) for _ in range(400))
    everywhere = [METRICS[name].weighted(truth, a[0], np.ones((1, len(truth)))) for truth, a, _ in fits]
    hits = []
    for index in range(100):
        truth, a, _ = drawn(name, rng, 3, sd_seeds=0.1)
        interval = score_interval(METRICS[name], truth, a, 100, index)
        assert interval.low <= interval.mean <= interval.high
        assert interval.mean == pytest.approx(np.mean([METRICS[name](truth, row) for row in a]))
        hits.append(interval.low <= np.mean(everywhere) <= interval.high)
    assert np.mean(hits) >= 0.90


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_intervals_stay_within_the_metrics_range(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(METRICS)))
    n_seeds, n_texts = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 10))
    truth = data.draw(arrays(np.float64, n_texts, elements=LABELS[name]))
    predicted = data.draw(arrays(np.float64, (n_seeds, n_texts), elements=LABELS[name]))
    interval = score_interval(METRICS[name], truth, predicted, 30, 1)
    lowest = 0 if name in ("accuracy", "balanced_accuracy", "f1") else -1
    assert lowest - 1e-9 <= interval.low <= interval.mean <= interval.high <= 1 + 1e-9


def test_different_texts_are_refused() -> None:
    with pytest.raises(InputError, match=r"one column for each of the 3 texts, but got shape \(1, 2\)"):
        score_interval(METRICS["f1"], [0, 1, 1], [[0, 1]])
    with pytest.raises(InputError, match=r"same seeds and texts, but got shapes \(1, 2\) and \(2, 2\)"):
        score_difference(METRICS["f1"], [0, 1], [[0, 1]], [[0, 1], [1, 1]])
