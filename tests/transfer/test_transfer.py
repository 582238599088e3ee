from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score

from finetune_alf.experiments.transfer.cells import cells
from finetune_alf.experiments.transfer.compare import compare
from finetune_alf.experiments.transfer.schemes import scheme_recipes
from finetune_alf.experiments.transfer.spec import SCHEMES, TransferSpec
from finetune_alf.metrics import majority_baseline
from finetune_alf.rates import EMBEDDINGS, HEAD, LayerRates, UniformRates, layer
from finetune_alf.recipe import Recipe
from finetune_alf.schedules.published import published
from finetune_alf.seeds import child_seed
from finetune_alf.stats import crossed_bootstrap, paired_difference

SPEC = TransferSpec(studies=("minilm",), samples=("films",), n_resamples=300)
BASELINE = Recipe(rates=UniformRates(rate=5e-5, head=1e-3), epochs=4, batch=8, max_tokens=48)
SCHEDULES = {"alf-1": published("distilbert-alf-1"), "alf-2": published("distilbert-alf-2")}


def recipes():
    return scheme_recipes(SCHEMES, BASELINE, SCHEDULES, n_layers=6, decay=0.9)


def test_schemes_differ_from_the_baseline_in_their_rates_and_feature_extraction_in_its_dropout():
    plain = BASELINE.model_dump(exclude={"rates"})
    assert recipes()["decayed"].model_dump(exclude={"rates"}) == plain
    assert recipes()["baseline"].model_dump(exclude={"rates"}) == plain
    assert recipes()["feature_extraction"].model_dump(exclude={"rates"}) == plain | {"frozen_dropout": "off"}


def test_feature_extraction_trains_the_head_alone_at_the_baselines_rate():
    rates = recipes()["feature_extraction"].rates.at(6)
    assert rates.frozen == (EMBEDDINGS, *(layer(i) for i in range(6)))
    assert rates[HEAD] == 1e-3


def test_layer_wise_decay_starts_from_the_baselines_rate_at_the_top():
    rates = recipes()["decayed"].rates.at(6)
    assert rates[layer(5)] == 5e-5
    assert rates[EMBEDDINGS] == pytest.approx(5e-5 * 0.9**6)


def test_schedules_run_their_own_recipe():
    assert recipes()["alf-1"] == SCHEDULES["alf-1"].recipe


def test_every_scheme_runs_under_the_same_seeds():
    seeds = {}
    for cell in cells(recipes(), 3, seed=1).values():
        seeds.setdefault(cell.scheme, []).append(cell.seed)
    assert len({tuple(of_one) for of_one in seeds.values()}) == 1
    assert len(set(seeds["baseline"])) == 3


def test_a_scheme_that_is_always_right_is_better_and_one_like_the_baseline_is_not_told_apart():
    truth = [0, 1] * 60
    rng = np.random.default_rng(0)
    guesses = {seed: [t if rng.random() < 0.6 else 1 - t for t in truth] for seed in (1, 2, 3)}
    told = compare(truth, {"baseline": guesses, "alf-1": dict.fromkeys((1, 2, 3), truth), "alf-2": guesses}, SPEC)
    assert told["alf-1"]["difference"]["verdict"] == "better"
    assert told["alf-1"]["accuracy"]["mean"] == 1.0
    assert (
        told["alf-2"]["difference"] | {"verdict": "no evidence of a difference", "mean": 0.0}
        == (told["alf-2"]["difference"])
    )
    assert told["baseline"]["difference"] is None
    assert told["alf-1"]["difference"]["p_holm"] >= told["alf-1"]["difference"]["p"]


def test_accuracies_are_means_over_the_seeds():
    truth = [0, 0, 0, 1]
    predictions = {"baseline": {1: [0, 0, 0, 1], 2: [0, 0, 0, 0]}}
    told = compare(truth, predictions, SPEC)["baseline"]
    assert told["accuracy"]["mean"] == pytest.approx((1 + 0.75) / 2)
    expected = np.mean([balanced_accuracy_score(truth, said) for said in predictions["baseline"].values()])
    assert told["balanced_accuracy"]["mean"] == pytest.approx(expected)
    assert told["accuracy"]["sd_seeds"] == pytest.approx(np.std([1, 0.75], ddof=1))


def test_a_diverged_seed_is_left_out_of_the_pairs():
    truth = [0, 1] * 10
    right, wrong = truth, [1 - t for t in truth]
    told = compare(truth, {"baseline": {1: right, 2: wrong}, "alf-1": {1: right}}, SPEC)
    assert told["alf-1"]["n_seeds"] == 1
    assert told["alf-1"]["difference"]["mean"] == 0.0


def test_what_is_said_by_accuracy_is_what_it_has_always_been():
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 60).tolist()
    predictions = {
        scheme: {seed: rng.integers(0, 2, 60).tolist() for seed in (1, 2)} for scheme in ("baseline", "alf-1")
    }
    told = compare(truth, predictions, SPEC)
    correct = {name: np.array([np.equal(one, truth) for one in by.values()]) for name, by in predictions.items()}
    difference = paired_difference(
        correct["alf-1"], correct["baseline"], child_seed(SPEC.seed, "difference", "alf-1"), SPEC.n_resamples
    )
    assert {key: told["alf-1"]["difference"][key] for key in asdict(difference)} == asdict(difference)
    interval = crossed_bootstrap(correct["alf-1"], SPEC.n_resamples, child_seed(SPEC.seed, "accuracy"))
    assert {key: told["alf-1"]["accuracy"][key] for key in asdict(interval)} == asdict(interval)
    assert told["alf-1"]["score"] == told["alf-1"]["accuracy"]


def test_another_metric_is_compared_by_itself_with_accuracies_beside():
    rng = np.random.default_rng(0)
    truth = [0, 0, 0, 1] * 30
    guesses = {seed: [t if rng.random() < 0.7 else 1 - t for t in truth] for seed in (1, 2, 3)}
    told = compare(truth, {"baseline": guesses, "alf-1": dict.fromkeys((1, 2, 3), truth)}, SPEC, "f1")
    assert told["baseline"]["score"]["mean"] == pytest.approx(np.mean([f1_score(truth, g) for g in guesses.values()]))
    assert told["alf-1"]["difference"]["mean"] == pytest.approx(1 - told["baseline"]["score"]["mean"])
    assert told["alf-1"]["difference"]["verdict"] == "better"
    assert told["baseline"]["accuracy"] == compare(truth, {"baseline": guesses}, SPEC)["baseline"]["accuracy"]


def test_scores_are_compared_by_a_correlation_and_have_no_accuracy():
    rng = np.random.default_rng(1)
    truth = np.round(rng.uniform(0, 5, 80), 1).tolist()
    noisy = {seed: (np.array(truth) + rng.normal(0, 3, 80)).tolist() for seed in (1, 2)}
    told = compare(truth, {"baseline": noisy, "alf-1": dict.fromkeys((1, 2), truth)}, SPEC, "spearman")
    expected = np.mean([spearmanr(truth, said).statistic for said in noisy.values()])
    assert told["baseline"]["score"]["mean"] == pytest.approx(expected)
    assert told["alf-1"]["difference"]["verdict"] == "better"
    assert told["alf-1"].keys() == {"n_seeds", "score", "difference"}


def test_the_majority_is_the_commonest_class():
    assert majority_baseline("accuracy", [0, 1, 1, 1]) == 0.75


def test_a_schedule_of_another_depth_is_refused():
    with pytest.raises(Exception, match="encoder of 12 layers"):
        scheme_recipes(("alf-1",), BASELINE, SCHEDULES, n_layers=12, decay=0.9)


def test_rates_of_a_schedule_are_what_the_cell_trains():
    assert recipes()["alf-2"].rates.at(6) == LayerRates.of(2e-6, [2e-10, 2e-10, 2e-10, 2e-8, 2e-10, 2e-5], 2e-5)
