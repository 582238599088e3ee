from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import RECIPE, SAMPLE, fitted, spec

from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.cells import cell_job, cells
from finetune_alf.experiments.freeze.levels import levels
from finetune_alf.experiments.freeze.line_search import line_search

SCORE = st.floats(-1, 1)
FITS = st.dictionaries(st.floats(1e-6, 1e-4), st.lists(SCORE, min_size=1, max_size=3), min_size=1)


@given(FITS, st.data())
def test_the_selected_rate_has_the_highest_validation_mean_whatever_the_test_scores_are(by_rate, data):
    fits = [(rate, fitted(score, scored=data.draw(SCORE))) for rate, scores in by_rate.items() for score in scores]
    means = {rate: fmean(scores) for rate, scores in by_rate.items()}
    assert means[line_search("x", fits).rate] == pytest.approx(max(means.values()))


def test_of_equal_rates_the_lower_one_is_selected():
    assert line_search("x", [(3e-5, fitted(0.5)), (1e-5, fitted(0.5)), (2e-5, fitted(0.4))]).rate == 1e-5


def test_a_rate_at_which_one_seed_diverged_is_not_selected():
    fits = [(5e-5, fitted(0.9)), (5e-5, fitted(None)), (1e-5, fitted(0.6)), (1e-5, fitted(0.6))]
    assert line_search("x", fits).rate == 1e-5
    assert line_search("x", fits).scores[5e-5] == (0.9, None)


def test_if_all_fits_diverge_the_rates_are_named():
    with pytest.raises(InputError, match=r"freeze.mine.rates, words: .* but got 1e-5, 5e-5. Add a lower one"):
        _ = line_search("freeze.mine.rates, words", [(1e-5, fitted(None)), (5e-5, fitted(None))]).rate


@pytest.mark.parametrize(("best", "is_at_edge"), [(1e-5, True), (2e-5, False), (3e-5, True)])
def test_a_rate_at_the_edge_is_reported(best, is_at_edge):
    fits = [(rate, fitted(0.9 if rate == best else 0.5)) for rate in (1e-5, 2e-5, 3e-5)]
    assert line_search("x", fits).is_at_edge is is_at_edge


def test_the_fits_of_the_selected_rate_are_cells_of_the_sweep(tmp_path):
    from finetune_alf.encoder.spec import RandomEncoder
    from finetune_alf.jobs.ledger import Ledger

    sweep, ledger = spec(n_search_seeds=2, n_seeds=3), Ledger(tmp_path / "jobs.jsonl")
    tiny = RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0)
    full, *_ = grid = levels("half-up", 4)
    searched = cells(sweep, SAMPLE, [full], sweep.rates, sweep.n_search_seeds)
    at_levels = cells(sweep, SAMPLE, grid, [sweep.rates[1]], sweep.n_seeds)
    identities = {cell.key: ledger.identity(cell_job(sweep, cell, tiny, "fp32")) for cell in [*searched, *at_levels]}
    assert (len(searched), len(at_levels)) == (10, 4 * 3)
    assert len(set(identities.values())) == len(identities) == 10 + 12 - 2


def test_all_levels_have_the_same_seeds_and_rate():
    sweep = spec(n_seeds=3)
    seeds = {}
    for cell in cells(sweep, SAMPLE, levels("half-up", 4), [2e-5], sweep.n_seeds):
        seeds.setdefault(cell.level.name, []).append(cell.seed)
        assert cell_job(sweep, cell, None, "fp32").recipe.rates.highest in (2e-5, 0.0)
    assert list(seeds) == ["none", "2", "3", "4"]
    assert len({tuple(each) for each in seeds.values()}) == 1


@pytest.mark.parametrize(("head", "expected"), [(None, 3e-5), (5e-4, 5e-4)])
def test_a_head_keeps_its_own_rate_or_takes_the_searched_one(head, expected):
    sweep = spec(recipe=RECIPE | {"rates": {"kind": "uniform", "rate": 1e-5, "head": head}})
    for cell in cells(sweep, SAMPLE, levels("half-up", 4), [3e-5], 1):
        assert cell_job(sweep, cell, None, "fp32").recipe.rates.head == expected
