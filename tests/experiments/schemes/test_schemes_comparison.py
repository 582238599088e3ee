"""Comparison of combinations: losses, scores, and differences from plain fine-tuning."""

import json

import pytest

from fake_results import fake_result
from finetune_alf.experiments.schemes.cells import cells
from finetune_alf.experiments.schemes.compare import compare
from finetune_alf.experiments.schemes.family import schemes_family
from finetune_alf.experiments.schemes.spec import NoAdapter, SchemesSpec
from finetune_alf.metrics import ACCURACY
from finetune_alf.recipe import ConstantCurve, LoraAdapter, SlantedTriangularCurve
from finetune_alf.stats import NO_EVIDENCE, TOO_FEW_SEEDS

TRUTH = [0, 1] * 40
SPEC = SchemesSpec.model_validate_json(
    json.dumps(
        {
            "encoder": "tiny",
            "samples": ["films"],
            "schemes": ["fixed", "gradual", "head"],
            "adapters": ["none"],
            "curves": ["constant"],
            "n_seeds": 5,
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
    """Compare the results of each scheme under its five seeds."""
    grid = cells(SPEC, SPEC.combinations, {}, 2)
    results = [(cell, by_scheme[cell.combination.scheme][cell.index]) for cell in grid]
    return {row.scheme: row for row in compare(SPEC, {"films": TRUTH}, {"films": ACCURACY}, results)["films"]}


WRONG_FOUR = [1 - TRUTH[0], 1 - TRUTH[1], *TRUTH[2:40], 1 - TRUTH[40], 1 - TRUTH[41], *TRUTH[42:]]
HALF = [*TRUTH[:40], *(1 - label for label in TRUTH[40:])]


@pytest.mark.parametrize(("split", "accuracy"), [("validation", 0.907), ("test", None)])
def test_the_surveys_validation_scores_stand_beside_validation_scores_alone(split, accuracy):
    entry = SPEC.model_dump() | {"samples": ("sst2",), "schemes": ("fixed",), "n_seeds": 1, "score_on": split}
    spec = SchemesSpec.model_validate(entry)
    fits = [(cell, fitted(TRUTH)) for cell in cells(spec, spec.combinations, {}, 2)]
    [row] = compare(spec, {"sst2": TRUTH}, {"sst2": ACCURACY}, fits)["sst2"]
    assert (row.published and row.published.accuracy) == accuracy


def test_losses_times_and_scores_are_means_over_the_seeds():
    own = [fitted(TRUTH, 0.2, 1.0), *[fitted(HALF, 0.4, 3.5)] * 4]
    table = rows(dict.fromkeys(("fixed", "gradual", "head"), own))["gradual"]
    assert table.loss.mean == pytest.approx(0.36)
    assert table.loss.sd_seeds == pytest.approx(0.2 / 5**0.5)
    assert table.seconds == 3.0
    assert table.score.mean == pytest.approx(0.6)
    assert table.score.low <= 0.6 <= table.score.high
    assert table.score.sd_seeds == pytest.approx(0.5 / 5**0.5)
    assert table.n_trainable_parameters == 100


def test_a_scheme_that_is_right_more_often_is_better_and_equal_predictions_are_no_evidence():
    table = rows({"fixed": [fitted(HALF)] * 5, "gradual": [fitted(TRUTH)] * 5, "head": [fitted(HALF)] * 5})
    assert table["fixed"].difference is None
    assert table["gradual"].difference.verdict == "better"
    assert table["gradual"].difference.mean == pytest.approx(0.5)
    assert table["head"].difference.verdict == NO_EVIDENCE
    assert table["gradual"].difference.p_holm == pytest.approx(2 * table["gradual"].difference.p)


def right_on(n_right):
    """Predictions that are right on so many texts, the first of all."""
    return [*TRUTH[:n_right], *(1 - label for label in TRUTH[n_right:])]


def test_a_difference_that_is_significant_alone_is_not_so_among_two():
    # four of 80 texts are right instead of wrong under every seed: t = .05 / (.2193 / 80 ** .5) with 79 df, p = .0447
    by_scheme = {"fixed": [fitted(right_on(40))] * 5, "gradual": [fitted(right_on(44))] * 5}
    table = rows(by_scheme | {"head": [fitted(right_on(40))] * 5})
    found = table["gradual"].difference
    assert (found.p, found.p_holm) == (pytest.approx(0.0447, abs=1e-4), pytest.approx(2 * found.p))
    assert found.verdict == NO_EVIDENCE
    clearer = rows(by_scheme | {"head": [fitted(right_on(50))] * 5})  # the smaller p is doubled, the larger one is not
    assert (clearer["gradual"].difference.verdict, clearer["head"].difference.verdict) == ("better", "better")


def test_the_family_is_what_differs_in_one_thing_on_all_samples():
    spec = SPEC.model_copy(
        update={
            "samples": ("films", "travel"),
            "schemes": ("fixed", "gradual", "differential+gradual"),
            "adapters": (NoAdapter(), LoraAdapter()),
            "curves": (ConstantCurve(), SlantedTriangularCurve()),
        }
    )
    one_change = ("fixed/none/slanted_triangular", "fixed/lora/constant", "gradual/none/constant")
    assert schemes_family(spec).primary == {(sample, name) for sample in spec.samples for name in one_change}


def test_verdicts_are_corrected_over_samples_and_other_combinations_are_exploratory():
    spec = SPEC.model_copy(
        update={"samples": ("films", "travel"), "schemes": ("fixed", "gradual", "differential+gradual")}
    )
    n_right = {"fixed": 40, "gradual": 44, "differential+gradual": 80}
    grid = cells(spec, spec.combinations, {}, 2)
    fits = [(cell, fitted(right_on(n_right[cell.combination.scheme]))) for cell in grid]
    tables = compare(spec, dict.fromkeys(spec.samples, TRUTH), dict.fromkeys(spec.samples, ACCURACY), fits)
    found = {(sample, row.scheme): row.difference for sample, table in tables.items() for row in table}
    assert found["films", "gradual"].p < 0.05
    assert found["films", "gradual"].p_holm == pytest.approx(2 * found["films", "gradual"].p)
    assert found["films", "gradual"].verdict == found["travel", "gradual"].verdict == NO_EVIDENCE
    joined = found["films", "differential+gradual"]
    assert (joined.mean, joined.p_holm, joined.verdict) == (0.5, None, None)


@pytest.mark.parametrize("n_seeds", [1, 4])
def test_with_fewer_than_five_seeds_there_is_no_verdict(n_seeds):
    spec = SPEC.model_copy(update={"n_seeds": n_seeds})
    right = {"fixed": HALF, "gradual": TRUTH, "head": HALF}
    fits = [(cell, fitted(right[cell.combination.scheme])) for cell in cells(spec, spec.combinations, {}, 2)]
    found = {row.scheme: row.difference for row in compare(spec, {"films": TRUTH}, {"films": ACCURACY}, fits)["films"]}
    assert (found["gradual"].verdict, found["gradual"].p_holm) == (TOO_FEW_SEEDS, None)
    assert found["gradual"].mean == 0.5


def test_the_time_of_a_fit_is_that_of_fits_that_did_not_diverge_on_the_way():
    table = rows(
        {
            "fixed": [fitted(TRUTH, seconds=9.0), *[fitted((), seconds=1.0)] * 4],
            "gradual": [fitted((), seconds=1.0), *[fitted((), seconds=2.25)] * 4],
            "head": [fitted(TRUTH)] * 5,
        }
    )
    assert (table["fixed"].seconds, table["gradual"].seconds) == (9.0, 2.0)


def test_a_diverged_seed_is_left_out_of_the_pairs_and_counted():
    table = rows(
        {
            "fixed": [fitted(TRUTH), *[fitted(HALF)] * 4],
            "gradual": [fitted(TRUTH), *[fitted(())] * 4],
            "head": [fitted(())] * 5,
        }
    )
    assert (table["gradual"].n_seeds, table["gradual"].n_diverged) == (1, 4)
    assert table["gradual"].difference.mean == 0.0
    assert (table["head"].loss, table["head"].score, table["head"].difference) == (None, None, None)
    assert table["gradual"].difference.n_seeds == 1
    assert table["head"].n_diverged == 5


def test_without_plain_fine_tuning_there_is_nothing_to_differ_from():
    table = rows({"fixed": [fitted(())] * 5, "gradual": [fitted(WRONG_FOUR)] * 5, "head": [fitted(TRUTH)] * 5})
    assert {row.difference for row in table.values()} == {None}
    assert table["head"].score.mean == 1.0
