"""The schemes of a transfer as recipes, its cells, and the comparison of their scores."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score

from finetune_alf.errors import ScheduleError
from finetune_alf.experiments.transfer.cells import cells
from finetune_alf.experiments.transfer.compare import compare
from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.experiments.transfer.spec import SCHEMES, TransferSpec
from finetune_alf.metrics import sample_metric
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, UniformRates, layer
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.published import published
from finetune_alf.seeds import child_seed
from finetune_alf.stats import NO_EVIDENCE, crossed_bootstrap, paired_difference

SPEC = TransferSpec(studies=("minilm",), samples=("films",), n_resamples=300)
BASELINE = Recipe(rates=UniformRates(rate=5e-5, head=1e-3), epochs=4, batch=8, max_tokens=48)
SCHEDULES = {"alf-1": published("distilbert-alf-1"), "alf-2": published("distilbert-alf-2")}
RECIPES = scheme_recipes(SCHEMES, BASELINE, SCHEDULES, n_layers=6, decay=0.9)


def test_recipes_differ_from_the_baseline_in_their_rates_and_feature_extraction_in_its_dropout():
    plain = BASELINE.model_dump(exclude={"rates"})
    assert RECIPES["decayed"].model_dump(exclude={"rates"}) == plain
    assert RECIPES["baseline"].model_dump(exclude={"rates"}) == plain
    assert RECIPES["feature_extraction"].model_dump(exclude={"rates"}) == plain | {"frozen_dropout": "off"}


def test_feature_extraction_trains_only_the_head_at_the_baselines_rate():
    rates = RECIPES["feature_extraction"].rates.at(6)
    assert rates.frozen == (EMBEDDINGS, *(layer(i) for i in range(6)))
    assert rates[HEAD] == 1e-3


def test_layer_wise_decay_starts_from_the_baselines_rate_at_the_top():
    rates = RECIPES["decayed"].rates.at(6)
    assert rates[layer(5)] == 5e-5
    assert rates[EMBEDDINGS] == pytest.approx(5e-5 * 0.9**6)


def test_a_schedule_is_run_with_its_own_recipe_and_rates():
    assert RECIPES["alf-1"] == SCHEDULES["alf-1"].recipe
    assert RECIPES["alf-2"].rates.at(6) == LayerRates.of(2e-6, [2e-10, 2e-10, 2e-10, 2e-8, 2e-10, 2e-5], 2e-5)


def test_a_schedule_of_another_depth_is_refused():
    with pytest.raises(ScheduleError, match="encoder of 12 layers"):
        scheme_recipes(("alf-1",), BASELINE, SCHEDULES, n_layers=12, decay=0.9)


def test_every_scheme_runs_under_the_same_seeds():
    seeds = {}
    for cell in cells(RECIPES, 3, seed=1):
        seeds.setdefault(cell.scheme, []).append(cell.seed)
    assert len({tuple(by_index) for by_index in seeds.values()}) == 1
    assert len(set(seeds["baseline"])) == 3


def test_a_scheme_that_is_always_right_is_better_and_equal_predictions_are_no_evidence():
    truth = [0, 1] * 60
    rng = np.random.default_rng(0)
    noisy = {seed: [t if rng.random() < 0.6 else 1 - t for t in truth] for seed in (1, 2, 3)}
    results = compare(truth, {"baseline": noisy, "alf-1": dict.fromkeys((1, 2, 3), truth), "alf-2": noisy}, SPEC)
    better, equal = results["alf-1"].difference, results["alf-2"].difference
    assert (better.verdict, results["alf-1"].accuracy.mean) == ("better", 1.0)
    assert better.p_holm >= better.p
    assert (equal.verdict, equal.mean) == (NO_EVIDENCE, 0.0)
    assert results["baseline"].difference is None


def test_accuracies_are_means_over_the_seeds():
    truth = [0, 0, 0, 1]
    predictions = {1: [0, 0, 0, 1], 2: [0, 0, 0, 0]}
    result = compare(truth, {"baseline": predictions}, SPEC)["baseline"]
    assert result.accuracy.mean == pytest.approx((1 + 0.75) / 2)
    assert result.accuracy.sd_seeds == pytest.approx(np.std([1, 0.75], ddof=1))
    expected = np.mean([balanced_accuracy_score(truth, predicted) for predicted in predictions.values()])
    assert result.balanced_accuracy.mean == pytest.approx(expected)


def test_a_diverged_seed_is_left_out_of_the_pairs():
    right = [0, 1] * 10
    wrong = [1 - t for t in right]
    result = compare(right, {"baseline": {1: right, 2: wrong}, "alf-1": {1: right}}, SPEC)["alf-1"]
    assert (result.n_seeds, result.difference.mean) == (1, 0.0)


def test_scores_by_accuracy_are_the_crossed_bootstrap_and_the_paired_test():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 60).tolist()
    predictions = {
        scheme: {seed: rng.integers(0, 2, 60).tolist() for seed in (1, 2)} for scheme in ("baseline", "alf-1")
    }
    result = compare(truth, predictions, SPEC)["alf-1"]
    correct = {name: np.array([np.equal(row, truth) for row in by.values()]) for name, by in predictions.items()}
    difference = paired_difference(
        correct["alf-1"], correct["baseline"], child_seed(SPEC.seed, "difference", "alf-1"), SPEC.n_resamples
    )
    interval = crossed_bootstrap(correct["alf-1"], SPEC.n_resamples, child_seed(SPEC.seed, "accuracy"))
    assert asdict(difference).items() <= result.difference.as_json().items()
    assert asdict(interval).items() <= result.accuracy.as_json().items()
    assert result.score == result.accuracy


def test_by_another_metric_scores_and_differences_are_the_metrics_and_accuracies_are_kept():
    rng = np.random.default_rng(0)
    truth = [0, 0, 0, 1] * 30
    noisy = {seed: [t if rng.random() < 0.7 else 1 - t for t in truth] for seed in (1, 2, 3)}
    results = compare(
        truth, {"baseline": noisy, "alf-1": dict.fromkeys((1, 2, 3), truth)}, SPEC, sample_metric("f1", 2)
    )
    baseline, best = results["baseline"], results["alf-1"]
    assert baseline.score.mean == pytest.approx(np.mean([f1_score(truth, row) for row in noisy.values()]))
    assert best.difference.mean == pytest.approx(1 - baseline.score.mean)
    assert best.difference.verdict == "better"
    assert baseline.accuracy == compare(truth, {"baseline": noisy}, SPEC)["baseline"].accuracy


def test_scores_are_compared_by_a_correlation_and_have_no_accuracy():
    rng = np.random.default_rng(1)
    truth = np.round(rng.uniform(0, 5, 80), 1).tolist()
    noisy = {seed: (np.array(truth) + rng.normal(0, 3, 80)).tolist() for seed in (1, 2)}
    results = compare(
        truth, {"baseline": noisy, "alf-1": dict.fromkeys((1, 2), truth)}, SPEC, sample_metric("spearman", 0)
    )
    expected = np.mean([spearmanr(truth, row).statistic for row in noisy.values()])
    assert results["baseline"].score.mean == pytest.approx(expected)
    assert results["alf-1"].difference.verdict == "better"
    assert results["alf-1"].accuracy is results["alf-1"].balanced_accuracy is None
