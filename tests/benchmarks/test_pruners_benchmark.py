"""The pruners benchmark: both sides meet the same objective, and its table has every pruner."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import pruners


def test_the_best_rates_score_one_after_the_last_epoch_and_scores_rise():
    best = [pruners.RATES[step] for step in (0, 1, 2, 3, 4, 5, 5)]
    scores = pruners.planted_scores(best)
    assert scores[-1] == pytest.approx(1.0)
    assert scores == sorted(scores)
    assert max(pruners.planted_scores([rate] * 7)[-1] for rate in pruners.RATES) < 1


@pytest.mark.parametrize("side", [pruners.ours, pruners.stock])
def test_without_a_pruner_every_trial_has_all_epochs(side):
    best, n_epochs = side("none", seed=1, n_trials=3)
    assert n_epochs == 3 * pruners.N_EPOCHS
    assert 0 < best <= 1


def test_the_table_has_a_line_for_each_pruner():
    runs = [
        {"side": side, "pruner": pruner, "seed": seed, "best": 0.5 + seed / 10, "n_epochs": 40}
        for side in ("ours", "stock")
        for pruner in pruners.PRUNERS
        for seed in (0, 2)
    ]
    assert pruners.table(runs).splitlines()[3] == "| median | 0.600 ± 0.100 | 40 | 0.600 ± 0.100 | 40 |"
