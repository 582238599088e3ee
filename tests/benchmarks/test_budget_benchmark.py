"""The simulated budgets: few equal searches are called different, and the smallest difference is found as told."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from budget import Setting, main, power, simulate, study


def test_a_study_has_differences_by_sample_that_are_0_where_the_winner_is_the_same() -> None:
    rng = np.random.default_rng(1)
    differences = study(Setting(50, 0.02, 0.3), 0.05, rng)
    assert [len(own) for own in differences.values()] == [4, 4, 4]
    values = np.concatenate(list(differences["decayed"].values()))
    assert 0.2 < np.mean(values == 0) < 0.4
    assert np.mean(values) == pytest.approx(0.05, abs=0.01)
    assert np.mean(values[values != 0]) == pytest.approx(0.05 / (1 - np.mean(values == 0)), abs=0.01)


def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--studies", "2", "--replicates", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 3 * 2 + 1
    assert "2 a sample, SD 1, same winner 0: false" in lines[1]


@pytest.mark.long
@pytest.mark.parametrize("setting", [Setting(6, 0.02, 0.0), Setting(6, 0.02, 0.3), Setting(6, 0.03, 0.3, heavy=True)])
def test_equal_searches_are_called_different_in_at_most_6_percent_of_studies(setting: Setting) -> None:
    """5 % and two standard errors of 2,000 studies make 6 %."""
    assert simulate(setting, 2000).any_call <= 0.06


@pytest.mark.long
def test_the_smallest_difference_is_found_as_often_as_told() -> None:
    setting = Setting(6, 0.02, 0.0)
    told = simulate(setting, 300).smallest
    assert 0.74 <= power(setting, told, 1000) <= 0.86


@pytest.mark.long
def test_searches_without_a_difference_are_seldom_called_equal_by_mistake() -> None:
    """A gain as large as the margin is called no practical difference in at most 6 % of studies."""
    assert simulate(Setting(6, 0.005, 0.0), 1000, gain=0.01).equivalent <= 0.06
