"""The benchmark of label errors: flipped labels of texts that a probe tells apart are listed, and counted."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import label_errors

TRUTH = np.arange(60) % 2
FEATURES = np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32) + 6 * TRUTH[:, None]


def test_labels_that_are_flipped_in_clear_data_are_listed_and_no_others() -> None:
    assert label_errors.counted(FEATURES, TRUTH, 0.1, seed=1) == (1, 6, 1, 1, 1)
    assert label_errors.row([(FEATURES, TRUTH)], 0.1, 1) == "| 10% | 100% | 6.0 | 100% | 100% | 100% |"


def test_without_flipped_labels_there_is_nothing_to_find() -> None:
    assert label_errors.row([(FEATURES, TRUTH)], 0.0, 1) == "| 0% | 100% | 0.0 | – | – | – |"
