"""The schemes of a transfer as recipes, its cells, and the comparison of their scores."""

import numpy as np
import pytest
from fake_transfers import MEANS, document
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score

from finetune_alf.experiments.scheme_table import SchemeInputs, scheme_recipes
from finetune_alf.experiments.transfer.cells import cells
from finetune_alf.experiments.transfer.compare import compare
from finetune_alf.experiments.transfer.family import judged_transfers, scheme_differences
from finetune_alf.experiments.transfer.spec import DEFAULT_SCHEMES
from finetune_alf.metrics import ACCURACY, sample_metric
from finetune_alf.rates import UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.published import published
from finetune_alf.stats import NO_EVIDENCE, TOO_FEW_SEEDS, estimate, scores_of

BASELINE = Recipe(rates=UniformRates(rate=5e-5, head=1e-3), epochs=4, batch=8, max_tokens=48)
SCHEDULES = {"alf-1": published("distilbert-alf-1"), "alf-2": published("distilbert-alf-2")}
RECIPES = scheme_recipes(DEFAULT_SCHEMES, SchemeInputs(BASELINE, 6, SCHEDULES, single_rate=1e-4))


def test_every_scheme_runs_under_the_same_seeds():
    seeds = {}
    for cell in cells(RECIPES, 3, seed=1):
        seeds.setdefault(cell.scheme, []).append(cell.seed)
    assert len({tuple(by_index) for by_index in seeds.values()}) == 1
    assert len(set(seeds["baseline"])) == 3


def noisy(truth, rng, share, n_seeds=5):
    """Predictions of a scheme that is right on about this share of the texts."""
    return {seed: [t if rng.random() < share else 1 - t for t in truth] for seed in range(n_seeds)}


def test_a_scheme_that_is_always_right_differs_clearly_and_equal_predictions_do_not():
    truth, rng = [0, 1] * 60, np.random.default_rng(0)
    baseline = noisy(truth, rng, 0.6)
    results = compare(truth, {"baseline": baseline, "alf-1": dict.fromkeys(range(5), truth), "alf-2": baseline})
    better, equal = results["alf-1"].difference, results["alf-2"].difference
    assert (results["alf-1"].accuracy.mean, better.mean) == (1.0, pytest.approx(1 - results["baseline"].score.mean))
    assert better.p < 1e-3
    assert (equal.mean, equal.low, equal.high, equal.p) == (0, 0, 0, 1)
    assert results["baseline"].difference is None
    assert better.verdict is equal.verdict is None  # judged where the documents meet


def test_accuracies_are_means_over_the_seeds():
    truth = [0, 0, 0, 1]
    predictions = {1: [0, 0, 0, 1], 2: [0, 0, 0, 0]}
    result = compare(truth, {"baseline": predictions})["baseline"]
    assert result.accuracy.mean == pytest.approx((1 + 0.75) / 2)
    assert result.accuracy.sd_seeds == pytest.approx(np.std([1, 0.75], ddof=1))
    expected = np.mean([balanced_accuracy_score(truth, predicted) for predicted in predictions.values()])
    assert result.balanced_accuracy.mean == pytest.approx(expected)
    assert result.score == result.accuracy


def test_a_diverged_seed_is_left_out_of_the_pairs():
    right = [0, 1] * 10
    wrong = [1 - t for t in right]
    result = compare(right, {"baseline": {1: right, 2: wrong}, "alf-1": {1: right}})["alf-1"]
    assert (result.n_seeds, result.difference.n_seeds, result.difference.mean) == (1, 1, 0.0)


def test_scores_and_differences_are_the_estimates_over_seeds_and_texts():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 60).tolist()
    predictions = {scheme: noisy(truth, rng, 0.7) for scheme in ("baseline", "alf-1")}
    result = compare(truth, predictions)["alf-1"]
    own, base = (scores_of(ACCURACY, truth, predictions[name]) for name in ("alf-1", "baseline"))
    score, difference = estimate(own), estimate(own - base)
    assert (result.score.low, result.score.high) == (score.low, score.high)
    assert (result.difference.low, result.difference.high, result.difference.p) == (
        difference.low,
        difference.high,
        difference.p,
    )
    assert result.difference.variance.components == difference.components


def test_with_one_seed_p_is_exact_and_about_texts_alone():
    truth = [0, 1] * 10
    wrong = {2: [1 - truth[0], 1 - truth[1], 1 - truth[2], *truth[3:]]}
    result = compare(truth, {"baseline": wrong, "alf-1": {2: truth}})["alf-1"]
    assert result.difference.p == pytest.approx(2 / 2**3)
    assert result.difference.sd_seeds is None


def test_by_another_metric_scores_and_differences_are_the_metrics_and_accuracies_are_kept():
    truth, rng = [0, 0, 0, 1] * 30, np.random.default_rng(0)
    baseline = noisy(truth, rng, 0.7)
    results = compare(truth, {"baseline": baseline, "alf-1": dict.fromkeys(range(5), truth)}, sample_metric("f1", 2))
    found, best = results["baseline"], results["alf-1"]
    assert found.score.mean == pytest.approx(np.mean([f1_score(truth, row) for row in baseline.values()]))
    assert best.difference.mean == pytest.approx(1 - found.score.mean)
    assert best.difference.p < 1e-3
    assert found.accuracy == compare(truth, {"baseline": baseline})["baseline"].accuracy


def test_scores_are_compared_by_a_correlation_and_have_no_accuracy():
    rng = np.random.default_rng(1)
    truth = np.round(rng.uniform(0, 5, 80), 1).tolist()
    baseline = {seed: (np.array(truth) + rng.normal(0, 3, 80)).tolist() for seed in range(5)}
    predictions = {"baseline": baseline, "alf-1": dict.fromkeys(range(5), truth)}
    results = compare(truth, predictions, sample_metric("spearman", 0))
    expected = np.mean([spearmanr(truth, row).statistic for row in baseline.values()])
    assert results["baseline"].score.mean == pytest.approx(expected)
    assert results["alf-1"].difference.p < 1e-3
    assert results["alf-1"].accuracy is results["alf-1"].balanced_accuracy is None


def test_the_family_is_the_first_schedule_on_the_samples_that_were_not_searched_corrected_together():
    documents = [
        document("bert", "films", p=1e-6),
        document("bert", "imdb", p=0.001),
        document("bert", "yelp", p=0.03),
        document("bert", "sst2", p=0.02),
    ]
    found = judged_transfers(documents)
    family = {key: each for key, each in found.items() if each.verdict}
    assert {
        sample: (each.p_holm, each.verdict) for (sample, scheme, _), each in family.items() if scheme == "alf-1"
    } == {
        "imdb": (pytest.approx(0.003), "better"),
        "yelp": (pytest.approx(0.04), "better"),
        "sst2": (pytest.approx(0.04), "better"),
    }
    assert {scheme for _, scheme, _ in family} == {"alf-1"}
    wider = judged_transfers([*documents, document("bert", "amazon", p=0.5)])
    assert {sample: each.verdict for (sample, scheme, _), each in wider.items() if scheme == "alf-1"} == {
        "films": None,
        "imdb": "better",
        "yelp": NO_EVIDENCE,
        "sst2": NO_EVIDENCE,
        "amazon": NO_EVIDENCE,
    }
    assert found["films", "alf-1", "baseline"] == documents[0].schemes["alf-1"].difference  # exploratory, as it was


def test_with_too_few_seeds_there_is_no_verdict_and_the_others_are_corrected_without_it():
    documents = [document("bert", "imdb", p=0.04), document("bert", "yelp", p=1e-9, n_seeds=4)]
    found = judged_transfers(documents)
    assert (found["yelp", "alf-1", "baseline"].p_holm, found["yelp", "alf-1", "baseline"].verdict) == (
        None,
        TOO_FEW_SEEDS,
    )
    assert (found["imdb", "alf-1", "baseline"].p_holm, found["imdb", "alf-1", "baseline"].verdict) == (0.04, "better")


def test_the_schedule_is_also_compared_with_the_best_single_rate_and_corrected_over_both():
    truth, rng = [0, 1] * 60, np.random.default_rng(0)
    predictions = {"baseline": noisy(truth, rng, 0.6), "uniform": noisy(truth, rng, 0.9)}
    results = compare(truth, {**predictions, "alf-1": dict.fromkeys(range(5), truth), "alf-2": predictions["uniform"]})
    gain = 1 - results["uniform"].score.mean
    assert results["alf-1"].from_single_rate.mean == pytest.approx(gain)
    assert [scheme for scheme, result in results.items() if result.from_single_rate] == ["alf-1"]
    documents = [
        document("bert", sample, p=p, uniform_p=uniform_p)
        for sample, p, uniform_p in (("films", 1e-6, 1e-6), ("imdb", 0.001, 0.02), ("yelp", 0.012, 0.5))
    ]
    family = {key: each for key, each in judged_transfers(documents).items() if each.verdict}
    assert {key: (pytest.approx(each.p_holm), each.verdict) for key, each in family.items()} == {
        ("imdb", "alf-1", "baseline"): (0.004, "better"),
        ("imdb", "alf-1", "uniform"): (0.04, "better"),
        ("yelp", "alf-1", "baseline"): (0.036, "better"),
        ("yelp", "alf-1", "uniform"): (0.5, NO_EVIDENCE),
    }


def test_a_recommendation_takes_the_differences_of_all_schemes_from_the_baseline():
    found = scheme_differences(tested := document("bert", "films", schemes=tuple(MEANS), uniform_p=0.3))
    assert set(found) == set(MEANS) - {"baseline"}
    assert found["alf-1"].from_baseline == tested.schemes["alf-1"].difference
    assert [scheme for scheme, each in found.items() if each.from_single_rate] == ["alf-1"]
