"""The benchmarks of the lag and of proposals: what they print of runs that are known."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import lag
import proposals

from finetune_alf.study.spec import TpeSampler


def test_the_best_score_so_far_never_falls_and_startup_trials_are_those_of_any_lag():
    one, four = (lag.best_so_far(lag.planted, TpeSampler(n_startup_trials=3, lag=each), 0, 6) for each in (1, 4))
    assert one == sorted(one)
    assert len(one) == 6
    assert one[:3] == four[:3]


def test_the_table_has_a_line_for_each_lag_with_paired_differences():
    runs = [
        {"table": name, "sampler": sampler, "seed": seed, "best": [0.5, 0.5 + seed / 10 - 0.1 * (sampler == "4")]}
        for name in ("planted", "recorded")
        for sampler in [*map(str, lag.LAGS), "random"]
        for seed in (1, 2)
    ]
    cell = "0.500 | 0.000 ± 0.000 | 0.550 | 0.100 ± 0.000"
    assert lag.table(runs, 2).splitlines()[4] == f"| 4 | {cell} | {cell} |"


def test_both_ways_of_a_proposal_are_timed():
    assert all(milliseconds > 0 for milliseconds in proposals.times_ms(11, 1))
