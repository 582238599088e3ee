"""Learning curves: gains, the number of texts at which a curve reaches a score, and its interval's coverage."""

import numpy as np
import pytest

from finetune_alf.errors import InputError
from finetune_alf.stats import Scores, estimate
from finetune_alf.stats.learning_curve import equivalent, gain, gap_at, tried_numbers

SIZES = (32, 64, 128, 256)


def exact(mean, n_seeds=5, n_texts=400):
    """Scores with hardly any spread between draws, and none between texts."""
    by_seed = mean + 1e-4 * np.linspace(-1, 1, n_seeds)
    return Scores(tuple(range(n_seeds)), by_seed, (np.repeat(by_seed[:, None], n_texts, 1),), (0.0, 1.0))


def curve_of(*means):
    return {n: exact(mean) for n, mean in zip(SIZES, means, strict=True)}


RISING = curve_of(0.6, 0.7, 0.75, 0.8)


def test_a_gain_is_per_so_many_texts_and_paired():
    found = estimate(gain(RISING[128], RISING[64], 128, 64, 100))
    assert found.mean == pytest.approx(0.05 * 100 / 64)
    assert found.low == pytest.approx(found.high)  # the draws' own spread is in both


def test_between_two_numbers_a_curve_is_linear_in_the_logarithm():
    middle = round((64 * 128) ** 0.5)
    assert gap_at(exact(0.725), RISING, middle).by_seed.mean() == pytest.approx(0, abs=1e-3)
    assert gap_at(exact(0.9), RISING, 128).by_seed.mean() == pytest.approx(0.15)


def test_the_tried_numbers_are_the_curves_own_and_some_between_them():
    tried = tried_numbers(list(SIZES))
    assert set(SIZES) < set(tried)
    assert (tried[0], tried[-1]) == (32, 256)
    assert tried_numbers([4, 6]) == [4, 5, 6]


def test_a_score_is_found_on_the_curve_upwards_and_downwards():
    up, down = equivalent(exact(0.725), 64, RISING), equivalent(exact(0.65), 64, RISING)
    assert up.n == pytest.approx(90, abs=2)
    assert down.n == pytest.approx(45, abs=2)
    for found in (up, down):
        assert found.low <= found.n <= found.high
        assert found.beyond is None


def test_the_curve_itself_is_worth_its_own_texts_even_where_it_falls():
    assert equivalent(RISING[64], 64, RISING).n == 64
    falling = curve_of(0.6, 0.75, 0.7, 0.8)
    assert equivalent(falling[128], 128, falling).n == 128


def test_what_the_curve_does_not_reach_is_beyond_it():
    above, below = equivalent(exact(0.9), 64, RISING), equivalent(exact(0.5), 64, RISING)
    assert (above.n, above.beyond, above.low, above.high) == (None, "above", 256, None)
    assert (below.n, below.beyond, below.low, below.high) == (None, "below", None, 32)


def test_of_a_flat_curve_nothing_is_known():
    flat = curve_of(0.7, 0.7, 0.7, 0.7)
    found = equivalent(exact(0.7), 64, flat)
    assert (found.n, found.low, found.high) == (64, None, None)


def test_a_number_that_the_curve_lacks_is_refused():
    with pytest.raises(InputError, match="n: must be one of 32, 64, 128, 256, but got 50"):
        equivalent(exact(0.7), 50, RISING)


def drawn(rng, n_draws=5, n_texts=300):
    """A curve and a scheme at 64 texts that is worth 128 of them, with draws of their own spread and paired texts."""
    level = {32: 0.62, 64: 0.70, 128: 0.76, 256: 0.80}
    hardness = rng.normal(size=n_texts)
    shared = rng.normal(0, 0.02, n_draws)

    def scores(mean):
        own = mean + shared + rng.normal(0, 0.02, n_draws)
        threshold = np.quantile(hardness, np.clip(own, 0, 1))[:, None]
        correct = (hardness + rng.normal(0, 0.5, (n_draws, n_texts)) < threshold).astype(float)
        return Scores(tuple(range(n_draws)), correct.mean(1), (correct,), (0.0, 1.0), is_proportion=True)

    return {n: scores(mean) for n, mean in level.items()}, scores(level[128])


def test_the_interval_covers_the_number_of_texts_that_a_scheme_is_worth():
    rng = np.random.default_rng(7)
    found = [equivalent(scheme, 64, curve) for curve, scheme in (drawn(rng) for _ in range(60))]
    covered = [(one.low or 0) <= 128 <= (one.high or 1000) for one in found]
    assert np.mean(covered) >= 0.9
