"""The search for the best single rate: which fits it makes, and which rate it finds, by exact values."""

import pytest

from fake_results import fake_result
from finetune_alf.errors import PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe
from finetune_alf.register.single_rate import best_single_rate, job_key, n_rounds, single_rate_jobs
from finetune_alf.study.space import ChoicesSpace, DecayedSpace, LogSpace

GRID = (1e-5, 1e-4, 1e-3)
BASELINE = LayerRates.of(5e-5, [5e-5, 5e-5], 2e-3)
RECIPE = Recipe(rates=UniformRates(rate=5e-5, head=2e-3), epochs=1, batch=8, max_tokens=16)
TEMPLATE = FitJob("", RECIPE, None, "5a" * 32, 0, "fp32", "test", "f1")


@pytest.mark.parametrize(("n_trials", "expected"), [(40, 13), (6, 2), (5, 1), (3, 1), (1, 1)])
def test_there_are_as_many_fits_as_trials_in_whole_rounds_and_at_least_one_round(n_trials, expected):
    assert n_rounds(n_trials, GRID) == expected


def test_each_rate_is_that_of_all_layers_and_the_head_keeps_its_own():
    jobs = single_rate_jobs(GRID, BASELINE, TEMPLATE, 2, seed=1)
    assert [job.recipe.rates.at(2) for job in jobs] == [
        LayerRates.of(rate, [rate, rate], 2e-3) for _ in range(2) for rate in GRID
    ]
    assert {(job.score_on, job.sample, job.metric) for job in jobs} == {("validation", "5a" * 32, "f1")}
    assert len({job.key for job in jobs}) == len(jobs) == 6


def test_all_rates_have_the_same_seeds_one_a_round():
    jobs = single_rate_jobs(GRID, BASELINE, TEMPLATE, 2, seed=1)
    seeds = [job.seed for job in jobs]
    assert seeds[:3] == [seeds[0]] * 3
    assert seeds[3:] == [seeds[3]] * 3
    assert seeds[0] != seeds[3]


def scored(*by_rate):
    """Results of two rounds: a pair of scores for each rate, None for a fit that diverged."""
    return {
        job_key(rate, index): fake_result(stopped="diverged") if score is None else fake_result(score=score)
        for rate, scores in zip(GRID, by_rate, strict=True)
        for index, score in enumerate(scores)
    }


def test_the_best_rate_has_the_best_mean_not_the_best_score():
    found = best_single_rate("tiny", GRID, scored((0.5, 0.9), (0.75, 0.75), (0.6, 0.6)), 2)
    assert (found.rate, found.n_fits) == (1e-4, 6)
    assert [each.mean for each in found.grid] == [0.7, 0.75, 0.6]
    assert [each.scores for each in found.grid] == [(0.5, 0.9), (0.75, 0.75), (0.6, 0.6)]


def test_of_equal_rates_the_lowest_is_found():
    assert best_single_rate("tiny", GRID, scored((0.5, 0.5), (0.7, 0.8), (0.8, 0.7)), 2).rate == 1e-4


def test_a_rate_that_diverged_once_is_not_found():
    found = best_single_rate("tiny", GRID, scored((0.5, 0.5), (0.6, 0.6), (0.9, None)), 2)
    assert (found.rate, found.grid[2].mean) == (1e-4, None)


def test_rates_that_all_diverged_are_an_error_that_names_them():
    with pytest.raises(PartialError, match=r"studies.tiny: .* 1e-5, 1e-4, 1e-3 diverged"):
        best_single_rate("tiny", GRID, scored((0.5, None), (None, 0.6), (None, None)), 2)


def test_every_space_has_a_grid_of_positive_rates():
    choices = ChoicesSpace(rates=(0.0, 1e-5, 1e-4))
    assert choices.positive_grid == (1e-5, 1e-4)
    assert LogSpace(low=1e-6, high=1e-4).positive_grid == pytest.approx((1e-6, 10**-5.5, 1e-5, 10**-4.5, 1e-4))
    decayed = DecayedSpace(rate=ChoicesSpace(rates=(1e-5, 1e-4)), decays=(0.8, 1.0))
    assert decayed.positive_grid == (1e-5, 1e-4)
