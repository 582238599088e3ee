"""The comparison of fine-tuned scores: seeds that converged from both encoders, paired."""

import pytest

from fake_results import fake_result
from finetune_alf.experiments.adapt.compare import cells, compare
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.metrics import ACCURACY, sample_metric
from finetune_alf.stats import TOO_FEW_SEEDS

SPEC = AdaptSpec(encoder="tiny", sample="films", epochs=1, n_seeds=5)
TRUTH = [0, 1, 1, 1] * 10


def fits(diverged=()):
    """Return fits that are right everywhere from the adapted encoder, and for class 0 only from the plain one."""
    predictions = {"plain": (0,) * len(TRUTH), "adapted": tuple(TRUTH)}
    return [
        (
            cell,
            fake_result(
                predictions=predictions[cell.variant], stopped="diverged" if cell.key in diverged else "epochs"
            ),
        )
        for cell in cells(SPEC)
    ]


def test_the_difference_is_that_of_the_adapted_from_the_plain_encoder():
    comparison = compare(ACCURACY, TRUTH, fits())
    assert {variant: score.mean for variant, score in comparison.scores.items()} == {"plain": 0.25, "adapted": 1.0}
    assert comparison.difference.mean == pytest.approx(0.75)
    assert (comparison.difference.verdict, comparison.n_seeds, comparison.majority_baseline) == ("better", 5, 0.75)
    assert comparison.difference.p_holm == comparison.difference.p  # one comparison


def test_a_seed_that_diverged_from_one_encoder_is_left_out_for_both():
    comparison = compare(ACCURACY, TRUTH, fits(diverged=("plain/seed-1",)))
    assert (comparison.n_seeds, comparison.diverged) == (4, ("plain/seed-1",))
    assert comparison.difference.verdict == TOO_FEW_SEEDS


def test_without_a_seed_that_converged_from_both_there_is_no_difference():
    diverged = ("plain/seed-0", "plain/seed-1", "adapted/seed-2", "adapted/seed-3", "plain/seed-4")
    comparison = compare(ACCURACY, TRUTH, fits(diverged))
    assert (comparison.n_seeds, comparison.scores, comparison.difference) == (0, {}, None)


@pytest.mark.parametrize(("n_classes", "plain"), [(2, 0.0), (3, 1 / 3)])
def test_f1_is_over_the_samples_classes(n_classes, plain):
    truth = (0, 1) * 20
    predictions = {"plain": (0,) * 40, "adapted": truth}
    grid = [(cell, fake_result(predictions=predictions[cell.variant])) for cell in cells(SPEC)]
    comparison = compare(sample_metric("f1", n_classes), truth, grid)
    assert comparison.scores["plain"].mean == comparison.majority_baseline == pytest.approx(plain)
    assert comparison.difference.mean == pytest.approx(1 - plain)
