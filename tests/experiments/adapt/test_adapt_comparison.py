"""The comparison of fine-tuned scores: seeds that converged from both encoders, paired."""

import pytest

from fake_results import fake_result
from finetune_alf.experiments.adapt.compare import cells, compare
from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.metrics import ACCURACY, sample_metric

SPEC = AdaptSpec(encoder="tiny", sample="films", epochs=1, n_seeds=3, n_resamples=100)
TRUTH = [0, 1] * 20


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
    comparison = compare(SPEC, ACCURACY, TRUTH, fits())
    assert {variant: score.mean for variant, score in comparison.scores.items()} == {"plain": 0.5, "adapted": 1.0}
    assert comparison.difference.mean == pytest.approx(0.5)
    assert (comparison.difference.verdict, comparison.n_seeds, comparison.majority_baseline) == ("better", 3, 0.5)


def test_a_seed_that_diverged_from_one_encoder_is_left_out_for_both():
    comparison = compare(SPEC, ACCURACY, TRUTH, fits(diverged=("plain/seed-1",)))
    assert (comparison.n_seeds, comparison.diverged) == (2, ("plain/seed-1",))


def test_without_a_seed_that_converged_from_both_there_is_no_difference():
    diverged = ("plain/seed-0", "plain/seed-1", "adapted/seed-2")
    comparison = compare(SPEC, ACCURACY, TRUTH, fits(diverged))
    assert (comparison.n_seeds, comparison.scores, comparison.difference) == (0, {}, None)


@pytest.mark.parametrize(("n_classes", "plain"), [(2, 0.0), (3, 1 / 3)])
def test_f1_is_over_the_samples_classes(n_classes, plain):
    comparison = compare(SPEC, sample_metric("f1", n_classes), TRUTH, fits())
    assert comparison.scores["plain"].mean == comparison.majority_baseline == pytest.approx(plain)
    assert comparison.difference.mean == pytest.approx(1 - plain)
