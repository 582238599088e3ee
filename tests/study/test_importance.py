"""Importance: which addresses decide the score, how surely, and in which direction."""

import math
import random

import pytest

from fake_results import ENVIRONMENT
from finetune_alf.errors import InputError
from finetune_alf.rates import LayerRates
from finetune_alf.study.documents import LayerImportance
from finetune_alf.study.importance import EVALUATORS, layer_importance
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import AnySpace, ChoicesSpace, LogSpace

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
        records.append(record(number, rates, score))
    return records


def record(number: int, rates: LayerRates, score: float | None) -> TrialRecord:
    return TrialRecord(
        number=number,
        state="failed" if score is None else "complete",
        rates={str(address): rate for address, rate in rates.items()},
        score=score,
        reason="diverged" if score is None else None,
        started_ms=0,
        ended_ms=0,
        environment=ENVIRONMENT,
        result=None,
    )


@pytest.fixture(scope="module")
def on_grid() -> LayerImportance:
    return layer_importance("small", trials(GRID, 60), GRID, seed=1, n_resamples=5)


@pytest.mark.parametrize("evaluator", sorted(EVALUATORS))
def test_every_evaluator_puts_a_planted_layer_first(on_grid: LayerImportance, evaluator: str) -> None:
    shares = on_grid.evaluators[evaluator]
    assert list(shares) == ["embeddings", "layer.0", "layer.1", "layer.2"]
    assert max(shares, key=lambda address: shares[address].mean) == "layer.1"


def test_importances_add_up_to_one_and_lie_in_their_intervals(on_grid: LayerImportance) -> None:
    for shares in on_grid.evaluators.values():
        assert sum(share.mean for share in shares.values()) == pytest.approx(1)
        assert all(0 <= share.low <= share.mean <= share.high <= 1 for share in shares.values())
        assert any(share.low < share.high for share in shares.values())


def test_only_the_planted_layer_has_a_clear_rank_correlation(on_grid: LayerImportance) -> None:
    down = on_grid.direction["layer.1"]
    assert down.rho is not None
    assert down.high is not None
    assert down.rho < -0.9
    assert down.high < -0.8
    others = [on_grid.direction[address] for address in ("embeddings", "layer.0", "layer.2")]
    assert all(abs(other.rho or 0) < 0.5 for other in others)


def test_the_same_trials_and_seed_give_the_same_importance_and_another_seed_another() -> None:
    once, again, other = (
        layer_importance("small", trials(GRID, 20), GRID, seed=seed, n_resamples=2) for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_the_importance_of_log_uniform_rates_is_that_of_their_logarithm() -> None:
    shares = layer_importance("small", trials(LOG, 60), LOG, seed=1, n_resamples=3).evaluators
    assert shares["fanova"]["layer.1"].mean > 0.8
    assert shares["mdi"]["layer.1"].mean > 0.8


def test_a_tied_blocks_importance_is_listed_under_its_lowest_address() -> None:
    importance = layer_importance("small", trials(TIED, 40, planted="layer.0"), TIED, seed=1, n_resamples=3)
    assert importance.blocks == {"embeddings": ("embeddings", "layer.0")}
    assert list(importance.direction) == ["embeddings", "layer.1", "layer.2"]
    assert importance.evaluators["fanova"]["embeddings"].mean > 0.8


def test_only_complete_trials_of_the_space_count() -> None:
    inside = trials(GRID, 20)
    off_grid = record(20, LayerRates.of(3e-6, [3e-6] * N_LAYERS, 1e-3), 0.1)
    failed = record(21, inside[0].layer_rates, None)
    assert layer_importance("small", [*inside, off_grid, failed], GRID, seed=1, n_resamples=2) == layer_importance(
        "small", inside, GRID, seed=1, n_resamples=2
    )


def test_a_constant_rate_has_no_rank_correlation() -> None:
    constant = [
        record(trial.number, LayerRates({**trial.rates, "layer.2": 1e-5}), trial.score) for trial in trials(GRID, 20)
    ]
    importance = layer_importance("small", constant, GRID, seed=1, n_resamples=2)
    assert importance.direction["layer.2"].rho is None
    assert importance.evaluators["fanova"]["layer.2"].mean < 0.01


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(InputError, match=r"must have 8 complete trials or more .* but got 7"):
        layer_importance("small", trials(GRID, 7), GRID, seed=1)
    assert layer_importance("small", trials(GRID, 8), GRID, seed=1, n_resamples=2).n_trials == 8


def test_equal_scores_are_refused() -> None:
    same = [record(trial.number, trial.layer_rates, 0.5) for trial in trials(GRID, 12)]
    with pytest.raises(InputError, match=r"must have scores that differ .* but got 0\.5 from all 12 trials"):
        layer_importance("small", same, GRID, seed=1)


def test_one_score_that_differs_is_enough() -> None:
    same = [record(trial.number, trial.layer_rates, 0.5) for trial in trials(GRID, 12)]
    same[3] = record(3, same[3].layer_rates, 0.6)
    assert layer_importance("small", same, GRID, seed=1, n_resamples=4).n_trials == 12
