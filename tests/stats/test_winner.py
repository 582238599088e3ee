"""The luck of the best of several: against its expectation, and against simulated schemes that are known."""

import numpy as np
import pytest

from finetune_alf.stats import Scores, optimism
from finetune_alf.stats.winner import expected_maximum

N_SEEDS, N_TEXTS = 5, 120


def test_the_expected_maximum_of_normal_numbers():
    assert [expected_maximum(n) for n in (1, 2, 3)] == pytest.approx([0, np.pi**-0.5, 1.5 * np.pi**-0.5], abs=1e-6)


def drawn(rng, means, sd_seed, sd_rest):
    """Scores of schemes with these means, on common texts, with effects of seed and rest of their own."""
    text = rng.normal(0, 0.3, N_TEXTS)
    return [
        scores(mean + text + rng.normal(0, sd_seed, (N_SEEDS, 1)) + rng.normal(0, sd_rest, (N_SEEDS, N_TEXTS)))
        for mean in means
    ]


def scores(by_text):
    return Scores(tuple(range(N_SEEDS)), by_text.mean(axis=1), (by_text,), (-np.inf, np.inf))


@pytest.mark.parametrize("n", [2, pytest.param(3, marks=pytest.mark.long), 5])
@pytest.mark.parametrize("sd_means", [0.0, 0.01])
def test_it_is_what_the_winner_loses_on_other_seeds_and_texts(n, sd_means):
    rng = np.random.default_rng(n)
    lost, told = [], []
    for _ in range(600):
        means = 0.8 + rng.normal(0, sd_means, n)
        own = drawn(rng, means, 0.02, 0.3)
        observed = np.array([each.by_seed.mean() for each in own])
        common = (observed - means).mean()  # what all schemes share is no luck of the winner
        winner = int(observed.argmax())
        lost.append(observed[winner] - means[winner] - common)
        told.append(optimism(own))
    assert np.mean(lost) > 0.005
    assert np.mean(told) == pytest.approx(np.mean(lost), rel=0.25)


def test_of_clearly_different_schemes_hardly_anything_is_luck():
    own = drawn(np.random.default_rng(0), (0.8, 0.6, 0.4), 0.02, 0.3)
    equal = drawn(np.random.default_rng(0), (0.8, 0.8, 0.8), 0.02, 0.3)
    assert 0 < optimism(own) < optimism(equal) / 5


def test_one_scheme_and_equal_predictions_have_no_luck():
    own = scores(np.zeros((N_SEEDS, N_TEXTS)))
    assert optimism([own]) == optimism([own, own]) == 0
