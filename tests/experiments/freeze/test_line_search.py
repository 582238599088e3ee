import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweeps import RECIPE, SAMPLE, fitted, spec

from finetune_alf.errors import InputError
from finetune_alf.experiments.freeze.cells import cell_job, cells
from finetune_alf.experiments.freeze.levels import levels
from finetune_alf.experiments.freeze.search import line_search

SCORE = st.floats(-1, 1)
FITS = st.dictionaries(st.floats(1e-6, 1e-4), st.lists(SCORE, min_size=1, max_size=3), min_size=1)


@given(FITS, st.data())
def test_the_rate_kept_has_the_highest_validation_mean_whatever_the_test_split_says(by_rate, data):
    fits = [(rate, fitted(score, scored=data.draw(SCORE))) for rate, own in by_rate.items() for score in own]
    found = line_search("x", fits)
    best = max(sum(own) / len(own) for own in by_rate.values())
    own = by_rate[found.rate]
    assert sum(own) / len(own) == pytest.approx(best)


def test_of_equal_rates_the_lower_one_is_kept():
    assert line_search("x", [(3e-5, fitted(0.5)), (1e-5, fitted(0.5)), (2e-5, fitted(0.4))]).rate == 1e-5


def test_a_rate_at_which_one_seed_diverged_is_not_kept():
    fits = [(5e-5, fitted(0.9)), (5e-5, fitted(None)), (1e-5, fitted(0.6)), (1e-5, fitted(0.6))]
    assert line_search("x", fits).rate == 1e-5
    assert line_search("x", fits).scores[5e-5] == (0.9, None)


def test_where_all_diverged_the_rates_are_to_blame():
    with pytest.raises(InputError, match=r"freeze.mine.rates, words: .* but got 1e-05, 5e-05. Add a lower one"):
        _ = line_search("freeze.mine.rates, words", [(1e-5, fitted(None)), (5e-5, fitted(None))]).rate


@pytest.mark.parametrize(("best", "is_at_edge"), [(1e-5, True), (2e-5, False), (3e-5, True)])
def test_a_rate_at_the_edge_is_told(best, is_at_edge):
    fits = [(rate, fitted(0.9 if rate == best else 0.5)) for rate in (1e-5, 2e-5, 3e-5)]
    assert line_search("x", fits).is_at_edge is is_at_edge


def test_the_fits_of_the_rate_found_are_cells_already_done(tmp_path):
    from finetune_alf.encoder.spec import RandomEncoder
    from finetune_alf.train.ledger import Ledger

    own, ledger = spec(n_search_seeds=2, n_seeds=3), Ledger(tmp_path / "jobs.jsonl")
    tiny = RandomEncoder(kind="random", config={"model_type": "bert"}, seed=0)
    full, *_ = grid = levels("half-up", 4)
    searched = cells(own, SAMPLE, [full], own.rates, own.n_search_seeds)
    swept = cells(own, SAMPLE, grid, [own.rates[1]], own.n_seeds)
    asked = {cell.key: ledger.identity(cell_job(own, cell, tiny)) for cell in [*searched, *swept]}
    assert len(searched) == 10
    assert len(swept) == 4 * 3
    assert len(set(asked.values())) == len(asked) == 10 + 12 - 2


def test_every_level_is_fitted_under_the_same_seeds_at_the_same_rate():
    own = spec(n_seeds=3)
    seeds = {}
    for cell in cells(own, SAMPLE, levels("half-up", 4), [2e-5], own.n_seeds):
        seeds.setdefault(cell.level.name, []).append(cell.seed)
        assert cell_job(own, cell, None).recipe.rates.highest in (2e-5, 0.0)
    assert list(seeds) == ["none", "2", "3", "4"]
    assert len({tuple(each) for each in seeds.values()}) == 1


@pytest.mark.parametrize(("head", "expected"), [(None, 3e-5), (5e-4, 5e-4)])
def test_a_head_keeps_its_own_rate_or_takes_the_searched_one(head, expected):
    own = spec(recipe=RECIPE | {"rates": {"kind": "uniform", "rate": 1e-5, "head": head}})
    for cell in cells(own, SAMPLE, levels("half-up", 4), [3e-5], 1):
        assert cell_job(own, cell, None).recipe.rates.head == expected
