"""What the evidence about a study recommends: planted differences, each with one answer."""

from dataclasses import replace

import pytest

from fake_comparisons import compared
from fake_locks import fake_candidate, fake_lock, too_few
from finetune_alf.rates import LayerRates
from finetune_alf.register.compare import References
from finetune_alf.register.recommend import SchemeDifferences, recommend

NO = "no evidence of a difference"
RATES = LayerRates.of(0, [0, 1e-5], 1e-3)
OTHER_RATES = LayerRates.of(0, [1e-5, 1e-5], 1e-3)


def lock(from_baseline=None, from_single_rate=None, optimism=0.01, **given):
    candidates = [
        fake_candidate(
            number, RATES, (0.8, 0.8), from_baseline=from_baseline, from_single_rate=compared(from_single_rate or 0.0)
        )
        for number in (3, 4)
    ]
    return fake_lock("minilm", candidates, optimism=optimism, **given)


def on_test_texts(*, single=None, **means_and_p):
    """Schemes with (mean, p) on five seeds; names have underscores for hyphens; `single` is that of alf-1."""
    found = {name.replace("_", "-"): SchemeDifferences(compared(*each)) for name, each in means_and_p.items()}
    if single is not None:
        found["alf-1"] = SchemeDifferences(found["alf-1"].from_baseline, compared(*single))
    return found


@pytest.mark.parametrize(
    ("mean", "verdict", "single", "scheme", "why"),
    [
        (-0.04, "worse", 0.05, "baseline", "`alf-1` is worse"),
        (-0.01, NO, 0.05, "baseline", "nothing is shown to be better"),
        (0.05, NO, 0.05, "baseline", "nothing is shown to be better"),
        (0.05, "better", 0.05, "alf-1", "it is better than plain fine-tuning; it is not shown to be better than"),
        (0.05, "better", -0.01, "uniform", "`alf-1` is better than plain fine-tuning, but not shown to be better"),
        (0.05, "better", 0.005, "uniform", "`alf-1` is better"),  # all of it is luck
        (0.005, "better", 0.05, "baseline", "nothing is shown to be better"),  # and of this
    ],
)
def test_the_confirmation_decides_where_nothing_was_tested(mean, verdict, single, scheme, why):
    found = recommend(lock(compared(mean, verdict=verdict), single))
    assert (found.scheme, found.evidence, found.settled) == (scheme, "confirmation", True)
    assert found.why.startswith(why)
    assert found.difference.mean == pytest.approx(mean - 0.01)


def test_too_few_seeds_settle_nothing():
    found = recommend(lock(too_few(0.2)))
    assert (found.scheme, found.settled) == ("baseline", False)
    assert found.why == "2 seeds are too few"


def test_the_test_texts_outweigh_the_confirmation():
    found = recommend(lock(compared(0.1, verdict="better"), 0.1), on_test_texts(alf_1=(0.01, 0.4)))
    assert (found.scheme, found.evidence, found.compared) == ("baseline", "test", "alf-1")
    assert found.difference.mean == 0.01  # no luck in it


def test_a_schedule_that_was_not_tested_has_its_confirmation():
    found = recommend(lock(compared(0.1, verdict="better"), 0.1), on_test_texts(probe=(-0.1, 0.001)))
    assert (found.scheme, found.evidence) == ("alf-1", "confirmation")


def fitted_by(rates, scheme="alf-1", **means_and_p):
    tested = on_test_texts(**means_and_p)
    return tested | {scheme: replace(tested[scheme], rates=rates)}


@pytest.mark.parametrize(("tested_rates", "evidence"), [(RATES, "test"), (OTHER_RATES, "confirmation")])
def test_scores_of_a_schedule_that_is_no_longer_the_registered_one_do_not_count(tested_rates, evidence):
    found = recommend(lock(compared(0.1, verdict="better"), 0.1), fitted_by(tested_rates, alf_1=(-0.2, 0.001)))
    assert (found.evidence, found.scheme) == (evidence, {"test": "baseline", "confirmation": "alf-1"}[evidence])


def test_a_schedule_that_is_not_registered_any_more_is_not_recommended():
    found = recommend(lock(refused=["alf-1"]), fitted_by(RATES, alf_1=(0.2, 0.001)))
    assert found.scheme == "baseline"


@pytest.mark.parametrize(("rate", "expected"), [(5e-6, "uniform"), (5e-5, "alf-1")])  # 5e-6 is the one of the lock file
def test_a_single_rate_that_is_no_longer_the_best_one_is_not_recommended(rate, expected):
    tested = fitted_by(LayerRates.of(rate, [rate, rate], 1e-3), "uniform", alf_1=(0.03, 0.001), uniform=(0.04, 0.001))
    found = recommend(lock(), tested)
    assert (found.scheme, found.evidence) == (expected, "test")


@pytest.mark.parametrize(
    ("schemes", "expected"),
    [
        ({"alf_1": (0.03, 0.001), "single": (0.02, 0.01)}, "alf-1"),
        ({"alf_1": (0.03, 0.001), "uniform": (0.02, 0.001), "single": (0.01, 0.01)}, "alf-1"),
        ({"alf_1": (0.03, 0.001), "uniform": (0.02, 0.001), "single": (0.01, 0.4)}, "uniform"),
        ({"alf_1": (0.03, 0.001), "uniform": (0.02, 0.2), "single": (0.01, 0.4)}, "alf-1"),
        ({"alf_1": (0.03, 0.001), "uniform": (0.04, 0.2), "single": (-0.01, 0.4)}, "uniform"),
        ({"alf_1": (0.01, 0.2), "uniform": (0.04, 0.001), "single": (-0.03, 0.1)}, "uniform"),
        ({"alf_1": (0.03, 0.02), "decayed": (0.02, 0.5), "uniform": (0.01, 0.5)}, "baseline"),  # 3 x .02 is above .05
        ({"alf_1": (0.0, 0.9), "lora": (0.02, 0.001), "decayed": (0.03, 0.001)}, "decayed"),
        ({"alf_1": (0.01, 0.9), "probe": (0.0, 0.9)}, "probe"),
        ({"alf_1": (0.01, 0.9), "probe": (0.01, 0.9), "tfidf": (0.0, 0.9)}, "tfidf"),
        ({"alf_1": (0.01, 0.9), "probe": (-0.001, 0.9)}, "baseline"),
        ({"alf_1": (0.03, 0.001), "probe": (0.0, 0.9)}, "alf-1"),
        ({"alf_1": (0.0, 1.0), "feature_extraction": (-0.2, 0.001)}, "baseline"),
    ],
)
def test_the_simplest_scheme_that_nothing_is_shown_to_beat(schemes, expected):
    found = recommend(lock(), on_test_texts(**schemes))
    assert (found.scheme, found.evidence, found.settled) == (expected, "test", True)


def test_a_linear_model_over_too_few_seeds_is_not_recommended():
    found = recommend(
        lock(),
        {"probe": SchemeDifferences(compared(0.1, n_seeds=3)), "alf-1": SchemeDifferences(compared(0.0, n_seeds=3))},
    )
    assert (found.scheme, found.settled) == ("baseline", False)


@pytest.mark.parametrize("references", [None, References(baseline=None, single_rate=None)])
def test_without_any_comparison_it_says_so(references):
    found = recommend(lock(references=references))
    assert (found.scheme, found.evidence, found.settled, found.difference) == ("baseline", "none", False, None)
    assert found.why == "nothing is compared with it yet"
