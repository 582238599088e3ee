"""What it would take to find a difference: by the definition, by simulation, and without end."""

import numpy as np
import pytest
from scipy.stats import norm, t

from finetune_alf.stats import Components, Scores, estimate, needed, pooled


def of(seed=0.0, text=0.0, rest=0.0, n_seeds=5, n_texts=500):
    return Components(seed, text, rest, n_seeds, n_texts)


def test_where_seeds_do_not_vary_the_number_of_texts_is_the_textbooks():
    found = needed(of(text=0.2), 0.03)
    n = (norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * 0.2 / 0.03**2
    assert n < found.n_texts < n + 5  # the quantiles of t are a little larger
    assert found.n_seeds is None  # no number of seeds replaces texts


def test_where_texts_do_not_vary_the_number_of_seeds_is_that_of_a_t_test():
    found = needed(of(seed=0.01**2), 0.01)
    reached = {n: (t.ppf(0.975, n - 1) + t.ppf(0.8, n - 1)) * 0.01 / np.sqrt(n) for n in range(5, 30)}
    assert found.n_seeds == min(n for n, least in reached.items() if least <= 0.01)
    assert found.n_texts is None


def test_where_only_the_rest_varies_the_test_has_the_degrees_of_freedom_of_the_seeds():
    found = needed(of(rest=0.2), 0.03)
    reach = (t.ppf(0.975, 4) + t.ppf(0.8, 4)) ** 2 * 0.2 / (5 * 0.03**2)
    assert found.n_texts == int(np.ceil(reach))


def test_a_smaller_difference_needs_more_and_no_seeds_below_those_of_a_verdict_are_offered():
    components = of(0.005**2, 0.002, 0.1)
    one, two, three = (needed(components, points / 100) for points in (1, 2, 3))
    assert one.n_texts is None or one.n_texts > two.n_texts
    assert two.n_texts > three.n_texts
    assert one.n_seeds > two.n_seeds >= three.n_seeds >= 5
    assert needed(components, 0.5).n_seeds == 5


def test_so_many_texts_find_the_difference_with_a_probability_of_80_percent():
    components, rng, found = of(0.004**2, 0.02, 0.08), np.random.default_rng(2), []
    n_texts = needed(components, 0.02).n_texts
    for _ in range(400):
        values = (
            0.02
            + rng.normal(0, 0.004, (5, 1))
            + rng.normal(0, np.sqrt(0.02), n_texts)
            + rng.normal(0, np.sqrt(0.08), (5, n_texts))
        )
        found.append(estimate(Scores(tuple(range(5)), values.mean(axis=1), (values,), (-1, 1))).p < 0.05)
    assert 0.74 <= np.mean(found) <= 0.86


def test_pooled_components_are_means_and_need_seeds_everywhere():
    assert pooled([of(0.1, 0.2, 0.3, 5, 100), of(0.3, 0.4, 0.5, 6, 301)]) == of(
        pytest.approx(0.2), pytest.approx(0.3), pytest.approx(0.4), 5, 200
    )
    assert pooled([]) is pooled([of(), of(seed=None)]) is None
