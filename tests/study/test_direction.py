"""Direction: rank correlations, and a test that says no direction of a layer without effect."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import qmc

from finetune_alf.stats import SIGNIFICANCE_LEVEL
from finetune_alf.study.direction import directions
from finetune_alf.study.documents import RankCorrelation
from finetune_alf.study.sampler import Observation, suggest
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler

SPACE = ChoicesSpace(rates=(0.0, 5e-9, 5e-8, 5e-7, 5e-6, 5e-5, 1e-4))
NAMES = tuple(SPACE.param_addresses(6))
PLANTED, NO_EFFECT = NAMES[:2], NAMES[2:]


def score(params: dict[str, float], rng: np.random.Generator) -> float:
    """Return a score of which the first rate explains .61, the second .19, chance .2, and the others nothing."""
    first, second = (SPACE.position(params[name]) / 2 for name in PLANTED)  # SD 1
    return math.sqrt(0.76) * first - math.sqrt(0.24) * second + rng.normal(0, 0.5)


def observations(kind: str, n_trials: int, seed: int) -> list[Observation]:
    """Return a study of planted scores by a sampler."""
    rng = np.random.default_rng(seed)
    units = (
        qmc.Sobol(len(NAMES), rng=rng).random(64)[:n_trials] if kind == "qmc" else rng.random((n_trials, len(NAMES)))
    )
    observed: list[Observation] = []
    for number in range(n_trials):
        params = dict(zip(NAMES, map(SPACE.rate_at, units[number]), strict=True))
        if kind == "tpe":
            params = suggest(TpeSampler(), SPACE, 6, observed, seed, number)
        observed.append(Observation(params, score(params, rng)))
    return observed


def n_with_false_directions(kind: str, n_trials: int, n_studies: int) -> int:
    """Return in how many studies a layer without effect would be given a direction, if its sampler were independent."""
    studies = (
        directions(observations(kind, n_trials, seed), NAMES, RandomSampler(), seed) for seed in range(n_studies)
    )
    return sum(any((study[name].p_holm or 1) < SIGNIFICANCE_LEVEL for name in NO_EFFECT) for study in studies)


def one_param(rates: tuple[float, ...], scores: tuple[float, ...], sampler: AnySampler) -> RankCorrelation:
    observed = [Observation({"rates.head": rate}, value) for rate, value in zip(rates, scores, strict=True)]
    return directions(observed, ["rates.head"], sampler, seed=1)["rates.head"]


def test_p_is_the_fraction_of_permutations_with_as_large_a_correlation() -> None:
    rates, scores = (0.0, 1e-6, 1e-5, 1e-5, 1e-4), (0.1, 0.3, 0.2, 0.4, 0.5)
    ranks, found = (1, 2, 3.5, 3.5, 5), one_param(rates, scores, RandomSampler())
    rhos = [np.corrcoef(ranks, order)[0, 1] for order in itertools.permutations((1, 3, 2, 4, 5))]
    assert found.rho == pytest.approx(rhos[0])
    assert found.p_holm == pytest.approx(2 * np.mean([rho >= rhos[0] - 1e-9 for rho in rhos]))


def test_p_values_are_corrected_over_the_rates_that_vary() -> None:
    step = np.arange(7)
    observed = [Observation({"a": i, "b": (3 * i) % 7, "c": 1.0}, float(i)) for i in step]
    alone = directions(observed, ["a"], RandomSampler(), seed=1)["a"].p_holm
    found = directions(observed, ["a", "b", "c"], RandomSampler(), seed=1)
    assert alone == pytest.approx(2 / math.factorial(7))
    assert found["a"].p_holm == pytest.approx(2 * alone)
    assert (found["c"].rho, found["c"].p_holm) == (None, None)


@pytest.mark.parametrize(
    ("sampler", "is_tested"), [(RandomSampler(), True), (QmcSampler(), True), (TpeSampler(), False)]
)
def test_rates_that_depend_on_scores_are_not_tested(sampler: AnySampler, is_tested: bool) -> None:
    found = one_param((1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1), sampler)
    assert found.rho == pytest.approx(-1)
    assert (found.p_holm is not None) == is_tested


def test_equal_scores_and_no_trials_have_no_correlation() -> None:
    assert one_param((1, 2, 3), (1, 1, 1), RandomSampler()) == RankCorrelation(rho=None, p_holm=None)
    assert one_param((), (), RandomSampler()) == RankCorrelation(rho=None, p_holm=None)


def test_the_same_seed_gives_the_same_p() -> None:
    observed = observations("random", 40, seed=5)
    assert directions(observed, NAMES, RandomSampler(), 1) == directions(observed, NAMES, RandomSampler(), 1)


def test_a_planted_direction_is_found_in_forty_random_trials() -> None:
    found = directions(observations("random", 40, seed=0), NAMES, RandomSampler(), seed=0)
    first = found[PLANTED[0]]
    assert first.rho is not None
    assert first.rho > 0.6
    assert first.p_holm == pytest.approx(7 * 2 / 10_000)  # no permutation reaches it, on either side


def test_few_random_studies_have_a_direction_of_a_layer_without_effect() -> None:
    assert n_with_false_directions("random", 20, 20) <= 3


@pytest.mark.long
@pytest.mark.parametrize("kind", ["random", "qmc"])
def test_five_in_a_hundred_studies_at_most_have_a_direction_of_a_layer_without_effect(kind: str) -> None:
    assert n_with_false_directions(kind, 40, 1_000) <= 64  # 5 % and two standard errors


@pytest.mark.long
def test_under_tpe_the_same_test_would_find_directions_where_there_are_none() -> None:
    assert n_with_false_directions("tpe", 40, 60) >= 10
