"""Confirmations: which fits they are, by exact values."""

from dataclasses import replace

from fake_results import fake_result
from finetune_alf.encoder.spec import HubEncoder
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.ledger import Ledger
from finetune_alf.metrics import ACCURACY
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.register.confirm import BASELINE, SINGLE_RATE, confirmation_jobs, confirmations, trial_name
from finetune_alf.seeds import child_seed

RATES = {4: LayerRates.of(0, [0, 1e-5], 1e-3), 9: LayerRates.of(1e-6, [1e-4, 1e-4], 1e-3)}
TEMPLATE = FitJob(
    "", Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16), None, "5a" * 32, 0, "fp32", metric="f1"
)


def jobs(seed=1):
    return confirmation_jobs({trial_name(number): rates for number, rates in RATES.items()}, TEMPLATE, 3, seed)


def test_each_trial_is_fitted_again_with_its_rates_and_scored_on_the_confirmation_split():
    assert [(job.key, job.recipe.rates.at(2)) for job in jobs()] == [
        (f"trial-{number}/seed-{index}", rates) for number, rates in RATES.items() for index in range(3)
    ]
    assert {(job.score_on, job.sample, job.precision, job.metric) for job in jobs()} == {
        ("confirmation", "5a" * 32, "fp32", "f1")
    }


def test_all_trials_have_the_same_seeds_none_of_them_the_studys():
    seeds = [job.seed for job in jobs()]
    assert seeds[:3] == seeds[3:]
    assert len(set(seeds)) == 6 / 2
    assert child_seed(1, "fit") not in seeds
    assert set(seeds).isdisjoint(job.seed for job in jobs(seed=2))


def test_rates_with_two_names_are_fitted_once():
    rates = {trial_name(4): RATES[4], BASELINE: RATES[9], SINGLE_RATE: RATES[9]}
    assert [job.key for job in confirmation_jobs(rates, TEMPLATE, 2, 1)] == [
        f"{name}/seed-{index}" for name in ("trial-4", "baseline") for index in range(2)
    ]
    results = {
        job.key: fake_result(score=0.5, predictions=(0, 0, 1, 1)) for job in confirmation_jobs(rates, TEMPLATE, 2, 1)
    }
    found = confirmations(rates, results, TEMPLATE, 2, {"films": (0, 1, 0, 1)}, {"films": ACCURACY})
    assert list(found) == list(rates)
    assert found[SINGLE_RATE].scores == found[BASELINE].scores == (0.5, 0.5)


def test_rates_of_which_a_fit_diverged_are_not_confirmed():
    rates = {trial_name(number): own for number, own in RATES.items()}
    results = {job.key: fake_result(score=0.5, predictions=(0, 0, 1, 1)) for job in jobs()}
    results["trial-9/seed-1"] = fake_result(stopped="diverged")
    assert list(confirmations(rates, results, TEMPLATE, 3, {"films": (0, 1, 0, 1)}, {"films": ACCURACY})) == ["trial-4"]


def test_a_confirmation_in_a_ledger_of_an_earlier_version_is_found(tmp_path):
    """The digest is that of version 0.1.0, where trials alone were confirmed."""
    encoder = HubEncoder(kind="hub", name="bert-base-uncased", revision="5a" * 20)
    (job,) = confirmation_jobs({trial_name(4): RATES[4]}, replace(TEMPLATE, encoder=encoder), 1, 1)
    assert job.key == "trial-4/seed-0"
    assert Ledger(tmp_path / "jobs.jsonl").identity(job) == (
        "505391b12658f6ccec598a2aba077a31c0a59108b4e579660b196db6a6f5dcfb"
    )
