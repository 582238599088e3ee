"""The simulated comparisons: what is simulated, and the bounds that docs/method.md states."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from comparisons import ACCURACY, Setting, coverage, main, power, settings, simulate


def test_accuracies_differ_between_seeds_and_schemes_as_they_are_asked_to():
    right = np.concatenate(list(simulate(Setting(200, 800, 0.02, 0.6), 20, gain=0.03)))
    by_scheme = right.mean(axis=(0, 2, 3))
    assert by_scheme[:3] == pytest.approx(ACCURACY, abs=0.01)
    assert by_scheme[3] - by_scheme[:3].mean() == pytest.approx(0.03, abs=0.004)
    by_seed = right.mean(axis=3)  # (rounds, schemes, seeds)
    assert by_seed[:, 0].std(axis=1).mean() == pytest.approx(0.0225, abs=0.002)  # 2 points, and the rest of 800 texts
    differences = (by_seed[:, 1] - by_seed[:, 0]).std(axis=1).mean()
    assert differences == pytest.approx(np.sqrt(2 * (0.4 * 0.02**2 + 0.087 / 800)), abs=0.002)


def test_the_same_setting_gives_the_same_rounds():
    setting = Setting(5, 72, 0.01, 0.0)
    assert coverage(setting, 20) == coverage(setting, 20)


def test_a_small_run_prints_every_table(capsys):
    main(["--rounds", "4", "--seeds", "5"])
    out = capsys.readouterr().out
    assert out.count("| texts | seeds | SD 0.5 | SD 1 | SD 2 |") == 4
    assert out.count("| 2,000 | 5 |") == 4


@pytest.mark.long
@pytest.mark.parametrize("setting", settings(), ids=str)
def test_intervals_cover_and_families_of_equal_schemes_are_rarely_called_different(setting):
    found = coverage(setting, 2000)
    assert 0.93 <= found.score <= 0.97
    assert 0.93 <= found.difference <= 0.97
    assert found.family <= 0.07


@pytest.mark.long
def test_a_larger_gain_more_texts_and_more_seeds_are_found_more_often():
    few, more_texts, more_seeds = (Setting(s, n, 0.01, 0.6) for s, n in ((5, 500), (5, 2000), (10, 500)))
    assert power(few, 0.01, 400) < power(few, 0.02, 400) < power(few, 0.03, 400)
    assert power(few, 0.02, 400) < min(power(more_texts, 0.02, 400), power(more_seeds, 0.02, 400))
