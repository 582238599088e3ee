"""Proposals: a pure function of (seed, number) and of what is finished."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import N_LAYERS, RATES, score_of

from finetune_alf.study.sampler import Tried, propose
from finetune_alf.study.space import AnySpace, ChoicesSpace, LogSpace
from finetune_alf.study.spec import AnySampler, QmcSampler, RandomSampler, TpeSampler

GRID = ChoicesSpace(rates=RATES)
LOG = LogSpace(low=1e-8, high=1e-4)
SAMPLERS = [TpeSampler(n_startup=4), RandomSampler(), QmcSampler()]


def searched(sampler: AnySampler, space: AnySpace, n_trials: int, seed: int) -> list[Tried]:
    tried: list[Tried] = []
    for number in range(n_trials):
        params = propose(sampler, space, N_LAYERS, tried, seed, number)
        tried.append(Tried(params, score_of(space.layer_rates(params, N_LAYERS, 1e-3))))
    return tried


@pytest.mark.parametrize("space", [GRID, LOG])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_repeats_to_the_bit_and_another_seed_gives_another(sampler: AnySampler, space: AnySpace) -> None:
    once = searched(sampler, space, 12, seed=3)
    assert once == searched(sampler, space, 12, seed=3)
    assert once != searched(sampler, space, 12, seed=4)


@pytest.mark.parametrize("space", [GRID, LOG])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_proposals_differ_from_number_to_number(sampler: AnySampler, space: AnySpace) -> None:
    assert len({tuple(trial.params.items()) for trial in searched(sampler, space, 12, seed=3)}) > 9


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), number=st.integers(0, 2000), space=st.sampled_from([GRID, LOG]))
def test_every_proposal_lies_in_the_space(seed: int, number: int, space: AnySpace) -> None:
    for sampler in SAMPLERS:
        params = propose(sampler, space, N_LAYERS, [], seed, number)
        assert space.params_of(space.layer_rates(params, N_LAYERS, 1e-3)) == params


def test_random_and_qmc_do_not_look_at_what_is_finished() -> None:
    tried = searched(RandomSampler(), GRID, 5, seed=1)
    for sampler in (RandomSampler(), QmcSampler()):
        assert propose(sampler, GRID, N_LAYERS, tried, 1, 9) == propose(sampler, GRID, N_LAYERS, [], 1, 9)


def test_qmc_spreads_each_address_evenly_over_the_grid() -> None:
    drawn = [propose(QmcSampler(), GRID, N_LAYERS, [], 5, number) for number in range(7 * 8)]
    for name in GRID.parameters(N_LAYERS):
        assert all(6 <= count <= 10 for count in Counter(params[name] for params in drawn).values())


def test_qmc_spreads_each_address_evenly_over_the_decades() -> None:
    drawn = [propose(QmcSampler(), LOG, N_LAYERS, [], 5, number) for number in range(64)]
    for name in LOG.parameters(N_LAYERS):
        decades = Counter(math.floor(math.log10(params[name])) for params in drawn)
        assert set(decades) == {-8, -7, -6, -5}
        assert max(decades.values()) <= 17


def test_tpe_finds_better_rates_than_chance() -> None:
    late = {
        type(sampler): np.mean([trial.score for trial in searched(sampler, GRID, 60, seed=2)[30:]])
        for sampler in (TpeSampler(), RandomSampler())
    }
    assert late[TpeSampler] > late[RandomSampler] + 0.02
