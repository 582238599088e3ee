"""Comparison of combinations: losses, scores, and differences from plain fine-tuning."""

import json

import pytest

from fake_results import fake_result
from finetune_alf.experiments.schemes.cells import cells
from finetune_alf.experiments.schemes.compare import compare
from finetune_alf.experiments.schemes.spec import SchemesSpec
from finetune_alf.metrics import ACCURACY
from finetune_alf.stats import NO_EVIDENCE

TRUTH = [0, 1] * 40
SPEC = SchemesSpec.model_validate_json(
    json.dumps(
        {
            "encoder": "tiny",
            "samples": ["films"],
            "schemes": ["fixed", "gradual", "head"],
            "adapters": ["none"],
            "curves": ["constant"],
            "n_seeds": 2,
            "n_resamples": 300,
            "recipe": {"rates": {"kind": "uniform", "rate": 1e-5}, "batch": 8, "epochs": 2, "max_tokens": 16},
        }
    )
)


def fitted(predictions, loss=0.5, seconds=2.0):
    stopped = "epochs" if predictions else "diverged"
    return fake_result(
        loss=loss, predictions=tuple(predictions), stopped=stopped, seconds=seconds, n_trainable_parameters=100
    )


def rows(by_scheme):
    """Compare the results of each scheme under its two seeds."""
    grid = cells(SPEC, {}, 2)
    results = [(cell, by_scheme[cell.combination.scheme][cell.index]) for cell in grid]
    return {row.scheme: row for row in compare(SPEC, "films", ACCURACY, TRUTH, results)}


WRONG_FOUR = [1 - TRUTH[0], 1 - TRUTH[1], *TRUTH[2:40], 1 - TRUTH[40], 1 - TRUTH[41], *TRUTH[42:]]
HALF = [*TRUTH[:40], *(1 - label for label in TRUTH[40:])]


def test_losses_times_and_scores_are_means_over_the_seeds():
    table = rows({s: [fitted(TRUTH, 0.2, 1.0), fitted(HALF, 0.4, 3.0)] for s in ("fixed", "gradual", "head")})[
        "gradual"
    ]
    assert table.loss.mean == pytest.approx(0.3)
    assert table.loss.sd_seeds == pytest.approx(0.2 / 2**0.5)
    assert table.seconds == 2.0
    assert table.score.mean == pytest.approx(0.75)
    assert table.score.low <= 0.75 <= table.score.high
    assert table.n_trainable_parameters == 100


def test_a_scheme_that_is_right_more_often_is_better_and_equal_predictions_are_no_evidence():
    table = rows({"fixed": [fitted(HALF)] * 2, "gradual": [fitted(TRUTH)] * 2, "head": [fitted(HALF)] * 2})
    assert table["fixed"].difference is None
    assert table["gradual"].difference.verdict == "better"
    assert table["gradual"].difference.mean == pytest.approx(0.5)
    assert table["head"].difference.verdict == NO_EVIDENCE
    assert table["gradual"].difference.p_holm >= table["gradual"].difference.p


def test_the_time_of_a_fit_is_that_of_fits_that_did_not_diverge_on_the_way():
    table = rows(
        {
            "fixed": [fitted(TRUTH, seconds=9.0), fitted((), seconds=1.0)],
            "gradual": [fitted((), seconds=1.0), fitted((), seconds=3.0)],
            "head": [fitted(TRUTH)] * 2,
        }
    )
    assert (table["fixed"].seconds, table["gradual"].seconds) == (9.0, 2.0)


def test_a_diverged_seed_is_left_out_of_the_pairs_and_counted():
    table = rows(
        {
            "fixed": [fitted(TRUTH), fitted(HALF)],
            "gradual": [fitted(TRUTH), fitted(())],
            "head": [fitted(()), fitted(())],
        }
    )
    assert (table["gradual"].n_seeds, table["gradual"].n_diverged) == (1, 1)
    assert table["gradual"].difference.mean == 0.0
    assert (table["head"].loss, table["head"].score, table["head"].difference) == (None, None, None)
    assert table["head"].n_diverged == 2


def test_without_plain_fine_tuning_there_is_nothing_to_differ_from():
    table = rows({"fixed": [fitted(())] * 2, "gradual": [fitted(WRONG_FOUR)] * 2, "head": [fitted(TRUTH)] * 2})
    assert {row.difference for row in table.values()} == {None}
    assert table["head"].score.mean == 1.0
