"""Importance: which addresses decide the score, how firmly, and what chance alone would give."""

import math
import random

import numpy as np
import pytest

from fake_results import fake_trial
from finetune_alf.rates import LayerRates
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.importance import EVALUATORS, PlacedTrials, _summaries, layer_importance
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import AnySpace, ChoicesSpace, LogSpace
from finetune_alf.study.spec import RandomSampler, TpeSampler

N_LAYERS = 3
GRID = ChoicesSpace(rates=(0.0, 1e-7, 1e-6, 1e-5, 1e-4))
TIED = ChoicesSpace(rates=GRID.rates, blocks=(("embeddings", "layer.0"),))
LOG = LogSpace(low=1e-8, high=1e-4)


def trials(space: AnySpace, n_trials: int, planted: str = "layer.1", seed: int = 0) -> list[TrialRecord]:
    """Return random trials whose score falls with the rate of the planted address, with a little noise."""
    rng = random.Random(seed)
    records = []
    for number in range(n_trials):
        params = {name: space.rate_at(rng.random()) for name in space.param_addresses(N_LAYERS)}
        rates = space.layer_rates(params, N_LAYERS, 1e-3)
        score = 0.8 - 0.05 * math.log10(1 + 1e8 * dict(rates)[planted]) + rng.gauss(0, 0.01)  # type: ignore[index]
        records.append(fake_trial(number, rates, score))
    return records


def importance(records: list[TrialRecord], space: AnySpace, seed: int = 1, n_resamples: int = 2) -> LayerImportance:
    return layer_importance("small", records, space, RandomSampler(), seed=seed, n_resamples=n_resamples)


@pytest.fixture(scope="module")
def on_grid() -> LayerImportance:
    return importance(trials(GRID, 60), GRID, n_resamples=6)


@pytest.mark.parametrize("evaluator", sorted(EVALUATORS))
def test_every_evaluator_puts_a_planted_layer_first_in_most_subsamples(
    on_grid: LayerImportance, evaluator: str
) -> None:
    shares = on_grid.evaluators[evaluator]
    assert list(shares) == ["embeddings", "layer.0", "layer.1", "layer.2"]
    assert shares["layer.1"].n_first >= 5
    assert shares["layer.1"].mean > shares["layer.1"].shuffled_high
    assert sum(share.n_first for share in shares.values()) <= on_grid.n_resamples == 6


def test_a_planted_share_is_found() -> None:
    """Layer 1 carries .76 of the variance between rates, and layer 2 the rest."""
    rng = random.Random(0)
    records = []
    for number in range(100):
        steps = [rng.randrange(5) for _ in range(4)]
        rates = LayerRates.of(GRID.rates[steps[0]], [GRID.rates[step] for step in steps[1:]], 1e-3)
        records.append(fake_trial(number, rates, math.sqrt(0.76) * steps[2] - math.sqrt(0.24) * steps[3]))
    shares = importance(records, GRID, n_resamples=3).evaluators["fanova"]
    assert shares["layer.1"].n_first == 3
    assert shares["layer.1"].mean == pytest.approx(0.76, abs=0.07)
    assert shares["layer.2"].mean == pytest.approx(0.24, abs=0.07)
    assert shares["layer.0"].mean < 0.02


def test_importances_add_up_to_one_and_lie_in_their_ranges(on_grid: LayerImportance) -> None:
    for shares in on_grid.evaluators.values():
        assert sum(share.mean for share in shares.values()) == pytest.approx(1)
        assert sum(share.shuffled_mean for share in shares.values()) == pytest.approx(1)
        assert all(0 <= share.low <= share.mean <= share.high <= 1 for share in shares.values())
        assert any(share.low < share.high for share in shares.values())


def test_with_scores_of_chance_shares_are_near_those_of_shuffled_scores() -> None:
    rng = random.Random(3)
    chance = [fake_trial(trial.number, trial.rates, rng.random()) for trial in trials(GRID, 40)]
    shares = importance(chance, GRID, n_resamples=5).evaluators
    for evaluator in ("fanova", "mdi"):
        for share in shares[evaluator].values():
            assert share.mean == pytest.approx(0.25, abs=0.15)
            assert share.shuffled_mean == pytest.approx(0.25, abs=0.15)


def test_first_is_counted_where_one_share_is_the_largest() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.7, 0.2, 0.1], [0.4, 0.4, 0.2]])
    first, second, third = _summaries(["rates.embeddings", "rates.layer.0", "rates.layer.1"], shares, shares).values()
    assert (first.n_first, second.n_first, third.n_first) == (2, 1, 0)
    assert (second.mean, second.shuffled_mean) == (pytest.approx(0.35), pytest.approx(0.35))
    assert (second.low, second.high) == (pytest.approx(0.2075), pytest.approx(0.4925))
    assert second.shuffled_high == pytest.approx(0.485)


@pytest.mark.parametrize("seed", range(4))
def test_a_subsample_is_half_of_the_trials_and_has_none_twice(seed: int) -> None:
    scores = np.arange(13.0)
    half = PlacedTrials(scores[:, None], scores).subsample(np.random.default_rng(seed))
    assert len(half.scores) == 6
    assert len(set(half.scores)) == 6
    assert (half.positions[:, 0] == half.scores).all()


@pytest.mark.parametrize(("n_trials", "n_drawn"), [(500, 250), (502, 250), (10_000, 250)])
def test_a_subsample_of_a_long_study_is_less_than_half_of_it(n_trials: int, n_drawn: int) -> None:
    scores = np.arange(float(n_trials))
    drawn = PlacedTrials(scores[:, None], scores).subsample(np.random.default_rng(0))
    assert len(set(drawn.scores)) == n_drawn


def test_shuffled_trials_have_the_same_rates_and_scores_in_another_order() -> None:
    scores = np.arange(13.0)
    shuffled = PlacedTrials(scores[:, None], scores).shuffled(np.random.default_rng(0))
    assert (shuffled.positions[:, 0] == scores).all()
    assert sorted(shuffled.scores) == list(scores)
    assert list(shuffled.scores) != list(scores)


def test_the_same_trials_and_seed_give_the_same_importance_and_another_seed_another() -> None:
    once, again, other = (importance(trials(GRID, 20), GRID, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_the_importance_of_log_uniform_rates_is_that_of_their_logarithm() -> None:
    shares = importance(trials(LOG, 60), LOG, n_resamples=3).evaluators
    assert shares["fanova"]["layer.1"].mean > 0.8
    assert shares["mdi"]["layer.1"].mean > 0.7


def test_a_tied_blocks_importance_is_listed_under_its_lowest_address() -> None:
    tied = importance(trials(TIED, 40, planted="layer.0"), TIED, n_resamples=3)
    assert tied.blocks == {"embeddings": ("embeddings", "layer.0")}
    assert list(tied.direction) == ["embeddings", "layer.1", "layer.2"]
    assert tied.evaluators["fanova"]["embeddings"].mean > 0.8


def test_only_complete_trials_of_the_space_count_and_each_once() -> None:
    inside = trials(GRID, 20)
    off_grid = fake_trial(20, LayerRates.of(3e-6, [3e-6] * N_LAYERS, 1e-3), 0.1)
    failed = fake_trial(21, inside[0].rates, None)
    repeat = inside[5].model_copy(update={"number": 22, "repeats": 5})
    assert importance([*inside, off_grid, failed, repeat], GRID) == importance(inside, GRID)


def test_direction_is_over_the_trials_that_the_sampler_drew() -> None:
    all_trials = trials(GRID, 20)
    shown = layer_importance("small", all_trials, GRID, RandomSampler(), seed=1, n_enqueued=2, n_resamples=2)
    assert (shown.n_trials, shown.n_tested) == (20, 18)
    assert shown.direction["layer.1"].rho == importance(all_trials[2:], GRID).direction["layer.1"].rho


@pytest.mark.parametrize(("n_trials", "is_tested"), [(10, True), (11, False)])
def test_directions_are_tested_while_tpe_still_draws_at_random(n_trials: int, is_tested: bool) -> None:
    records = trials(GRID, n_trials)
    found = layer_importance("small", records, GRID, TpeSampler(), seed=1, n_enqueued=1, n_resamples=2)
    assert all((each.p_holm is not None) == is_tested for each in found.direction.values() if each.rho is not None)


def test_a_constant_rate_has_no_rank_correlation() -> None:
    constant = [
        fake_trial(trial.number, LayerRates({**trial.rates, "layer.2": 1e-5}), trial.score)
        for trial in trials(GRID, 20)
    ]
    shown = importance(constant, GRID)
    assert shown.direction["layer.2"].rho is None
    assert shown.evaluators["fanova"]["layer.2"].mean < 0.01


def test_each_subsample_is_reported() -> None:
    calls: list[None] = []
    layer_importance(
        "small", trials(GRID, 8), GRID, RandomSampler(), seed=1, n_resamples=3, on_resample=lambda: calls.append(None)
    )
    assert len(calls) == 3


def test_too_few_trials_have_a_reason_in_place_of_an_importance() -> None:
    few = importance(trials(GRID, 7), GRID)
    assert few.reason == "it takes 8 complete and different trials within the space, and there are 7"
    assert (few.evaluators, few.direction) == ({}, {})
    assert importance([], GRID).reason is not None
    enough = importance(trials(GRID, 8), GRID)
    assert (enough.reason, enough.n_trials, enough.n_per_resample) == (None, 8, 4)


def test_equal_scores_have_a_reason_in_place_of_an_importance() -> None:
    same = [fake_trial(trial.number, trial.rates, 0.5) for trial in trials(GRID, 12)]
    assert importance(same, GRID).reason == "all 12 trials have the same score, 0.5"


def test_one_score_that_differs_is_enough() -> None:
    same = [fake_trial(trial.number, trial.rates, 0.5) for trial in trials(GRID, 12)]
    same[3] = fake_trial(3, same[3].rates, 0.6)
    assert importance(same, GRID, n_resamples=4).n_trials == 12


def test_a_space_of_one_block_has_all_of_its_importance() -> None:
    one = ChoicesSpace(rates=(0.0, 1e-5), blocks=(("embeddings", "layer.0", "layer.1", "layer.2"),))
    shares = importance(trials(one, 8), one, n_resamples=4).evaluators["fanova"]
    assert {address: share.mean for address, share in shares.items()} == {"embeddings": pytest.approx(1)}
