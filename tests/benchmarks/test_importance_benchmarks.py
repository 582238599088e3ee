"""The benchmarks of importance: planted studies have their shares, ways their resamples, directions their counts."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import directions
import importance

from finetune_alf.study.spec import RandomSampler


@pytest.mark.parametrize("space", importance.SPACES.values(), ids=importance.SPACES)
def test_planted_scores_have_the_shares_that_they_are_said_to_have(space) -> None:
    study = importance.planted(space, 20_000, seed=1)
    explained = [np.corrcoef(units, study.scores)[0, 1] ** 2 for units in study.units.T]
    assert explained[1] == pytest.approx((1 - importance.NOISE) * importance.SHARES[1], abs=0.01)
    assert explained[4:] == pytest.approx([0, 0, 0], abs=0.001)
    assert np.var(study.scores) == pytest.approx(1 / (1 - importance.NOISE), abs=0.05)


def test_each_way_is_a_row_with_its_time_for_all_resamples() -> None:
    document = importance.measure([8], limit_s=0)
    rows = [(row["space"], row["way"], row["n_timed"], row["n_resamples"]) for row in document["rows"]]
    assert rows == [
        ("choices", "full", 1, 30),
        ("choices", "ordered", 1, 30),
        ("choices", "stage", 1, 100),
        ("log", "ordered", 1, 30),
        ("log", "stage", 1, 100),
    ]
    assert all(sum(row["shares"]) == pytest.approx(1) for row in document["rows"])
    assert len(importance.table(document).splitlines()) == 6 + len(rows)


def test_the_direction_of_the_strong_address_is_found_and_counted() -> None:
    observed = directions.planted(RandomSampler(), 40, seed=0)
    assert directions.directed(observed, seed=0) == [True, True, False, False, False, False, False]
    assert directions.row(RandomSampler(), 40, 1) == "| random | 40 | 1 | 0.0% | 100% |"
