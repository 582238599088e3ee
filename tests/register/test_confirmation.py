"""Confirmations: which fits they are, by exact values."""

from fake_results import fake_trial
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.register.confirm import confirmation_jobs
from finetune_alf.seeds import child_seed
from finetune_alf.train.job import FitJob

RATES = {4: LayerRates.of(0, [0, 1e-5], 1e-3), 9: LayerRates.of(1e-6, [1e-4, 1e-4], 1e-3)}
TEMPLATE = FitJob(
    "", Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16), None, "5a" * 32, 0, "fp32", metric="f1"
)


def jobs(seed=1):
    trials = [fake_trial(number, rates, 0.5) for number, rates in RATES.items()]
    return confirmation_jobs(trials, TEMPLATE, 3, seed)


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
