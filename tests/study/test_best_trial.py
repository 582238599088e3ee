"""Which trial of a study is its best one, and which that of the baseline."""

from fake_results import fake_trial
from finetune_alf.rates import LayerRates
from finetune_alf.study.records import baseline_trial, best_trial


def trial(number, score):
    return fake_trial(number, LayerRates.of(0, [0, 1e-5], 1e-3), score)


def test_the_best_trial_has_the_highest_score_and_of_equal_ones_the_lowest_number():
    trials = [trial(0, 0.5), trial(1, None), trial(2, 0.75), trial(3, 0.75), trial(4, 0.25)]
    assert best_trial(trials) == best_trial(trials[::-1]) == trials[2]


def test_a_score_of_zero_or_below_is_one_too_and_without_a_score_there_is_no_best():
    assert best_trial([trial(0, None), trial(1, -0.25), trial(2, -0.5)]).number == 1
    assert best_trial([trial(0, None)]) is None


def test_the_baselines_trial_is_the_first_with_its_rates_and_a_score():
    other = fake_trial(0, LayerRates.of(0, [1e-5, 1e-5], 1e-3), 0.9)
    trials = [other, trial(1, None), trial(2, 0.5), trial(3, 0.6)]
    assert baseline_trial(trials, LayerRates.of(0, [0, 1e-5], 1e-3)) == trials[2]
    assert baseline_trial([other, trial(1, None)], LayerRates.of(0, [0, 1e-5], 1e-3)) is None
