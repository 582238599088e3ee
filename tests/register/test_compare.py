"""Candidates against the baseline and the best single rate: planted scores with exact differences."""

import pytest

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock
from finetune_alf.metrics import ACCURACY
from finetune_alf.rates import LayerRates
from finetune_alf.register.compare import meets, references, with_differences
from finetune_alf.register.confirm import BASELINE, SINGLE_RATE, Confirmation
from finetune_alf.register.spec import RegisterSpec
from finetune_alf.register.version_tags import version_tags
from finetune_alf.stats import NO_EVIDENCE, TOO_FEW_SEEDS, scores_of

N_TEXTS = 200
TRUTH = [0, 1] * (N_TEXTS // 2)
RATES = {4: LayerRates.of(0, [0, 1e-5], 1e-3), 9: LayerRates.of(1e-6, [1e-4, 1e-4], 1e-3)}
PLAIN = LayerRates.of(5e-5, [5e-5, 5e-5], 1e-3)


def confirmation(rates, n_wrong, n_seeds, shift=0):
    """Rates of which each fit has so many texts wrong, the seeds in turn one text further on."""
    predictions = {}
    for seed in range(n_seeds):
        wrong = {(shift + seed + 7 * place) % N_TEXTS for place in range(n_wrong)}
        predictions[seed] = [1 - label if text in wrong else label for text, label in enumerate(TRUTH)]
    scores = scores_of(ACCURACY, TRUTH, predictions)
    return Confirmation(rates, tuple(scores.by_seed.tolist()), scores)


def found(n_seeds, n_wrong=(10, 30), baseline=30, single_rate=20):
    confirmed = {
        f"trial-{number}": confirmation(RATES[number], n, n_seeds) for number, n in zip(RATES, n_wrong, strict=True)
    }
    confirmed[SINGLE_RATE] = confirmation(PLAIN, single_rate, n_seeds)
    if baseline is not None:
        confirmed[BASELINE] = confirmation(PLAIN, baseline, n_seeds)
    candidates = [
        fake_candidate(number, RATES[number], confirmed[f"trial-{number}"].scores, search_score=0.9) for number in RATES
    ]
    return with_differences(candidates, confirmed), references(confirmed)


def test_differences_are_those_of_the_mean_scores():
    (one, other), there = found(5)
    assert (one.from_baseline.mean, one.from_single_rate.mean) == pytest.approx((0.1, 0.05))
    assert (other.from_baseline.mean, other.from_single_rate.mean) == pytest.approx((0.0, -0.05))
    assert one.from_baseline.low < 0.1 < one.from_baseline.high
    assert (there.baseline.mean, there.single_rate.mean) == pytest.approx((0.85, 0.9))
    assert there.baseline.rates == PLAIN
    assert there.baseline.low < 0.85 < there.baseline.high


def test_with_five_seeds_each_candidate_has_a_verdict_against_the_baseline():
    (one, other), _ = found(5)
    assert (one.from_baseline.verdict, other.from_baseline.verdict) == ("better", NO_EVIDENCE)
    assert one.from_baseline.p_holm == pytest.approx(2 * one.from_baseline.p)  # two candidates, corrected together
    assert one.from_single_rate.verdict is None


def test_with_two_seeds_there_is_a_difference_and_no_verdict():
    (one, other), _ = found(2)
    assert one.from_baseline.mean == pytest.approx(0.1)
    assert {one.from_baseline.verdict, other.from_baseline.verdict} == {TOO_FEW_SEEDS}


def test_a_baseline_that_diverged_is_no_reference():
    (one, _), there = found(5, baseline=None)
    assert (one.from_baseline, there.baseline) == (None, None)
    assert one.from_single_rate.mean == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("require", "mean", "half", "verdict", "expected"),
    [
        ("none", -0.2, 0.01, "worse", True),
        ("not_worse", 0.0, 0.009, NO_EVIDENCE, True),
        ("not_worse", 0.0, 0.011, NO_EVIDENCE, False),
        ("not_worse", 0.05, 0.02, "better", True),
        ("better", 0.05, 0.02, "better", True),
        ("better", 0.05, 0.02, NO_EVIDENCE, False),
        ("better", -0.05, 0.02, "worse", False),
    ],
)
def test_what_a_schedule_must_show_to_be_registered(require, mean, half, verdict, expected):
    assert meets(compared(mean, half=half, verdict=verdict), require, 0.01) is expected


@pytest.mark.parametrize(("require", "expected"), [("none", True), ("not_worse", False), ("better", False)])
def test_without_a_comparison_nothing_is_shown(require, expected):
    assert meets(None, require, 0.01) is expected


def test_the_lock_has_no_schedule_for_what_does_not_show_what_is_required():
    candidates, there = found(5)
    lock = fake_lock("tiny", candidates, references=there, require="better", schedules={})
    assert list(lock.accepted) == ["alf-1"]
    assert list(lock.model_copy(update={"require": "none"}).accepted) == ["alf-1", "alf-2"]


def test_a_requirement_takes_five_seeds():
    with pytest.raises(ValueError, match="n_seeds must be at least 5 with `require: better`, but got 2"):
        RegisterSpec(require="better")
    assert RegisterSpec(require="not_worse", n_seeds=5).margin == 0.01


def test_a_version_has_the_verdict_and_the_difference_as_tags():
    (one, _), there = found(5)
    tags = version_tags(one, there, fake_lock("tiny", [one, one]).single_rate)
    assert tags["alf.verdict"] == "better"
    low, mean, high = (float(tags[f"alf.difference{end}"]) for end in (".low", "", ".high"))
    assert (low, mean, high) == pytest.approx((one.from_baseline.low, 0.1, one.from_baseline.high), rel=1e-5)
    assert float(tags["alf.baseline"]) == pytest.approx(0.85)
    assert (tags["alf.single_rate"], float(tags["alf.single_rate.difference"])) == ("5e-06", pytest.approx(0.05))


def test_a_lock_file_of_an_earlier_version_gives_no_tags():
    (one, _), _ = found(5)
    assert version_tags(one, None, None) == {}


def test_fits_with_equal_rates_count_once():
    (one, other), there = found(5)  # baseline and single rate have the same rates here
    lock = fake_lock("tiny", [one, other], references=there)
    assert lock.n_fits == 3 * 5 + lock.single_rate.n_fits
