import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from finetune_alf.recipe import TaskSpec, TasksSpec
from finetune_alf.recipe.tasks import AnnealedSampling, ProportionalSampling, TemperedSampling

METRICS = {"sst5": "accuracy", "quora": "accuracy", "sts": "pearson"}


@pytest.mark.parametrize(
    ("sentiment", "paraphrase", "similarity", "overall"),
    # minBERT multi-task, table 3, the rows whose overall score and parts go together
    [
        (0.5041, 0.7707, 0.804, 0.7256),
        (0.4995, 0.7818, 0.8088, 0.7286),
        (0.4768, 0.7738, 0.804, 0.7175),
        (0.4841, 0.7728, 0.7991, 0.7188),
        (0.4641, 0.7305, 0.7722, 0.6936),
    ],
)
def test_the_overall_score_is_that_of_the_paper(sentiment, paraphrase, similarity, overall):
    scores = {"sst5": sentiment, "quora": paraphrase, "sts": similarity}
    assert TasksSpec().overall_score(scores, METRICS) == pytest.approx(overall, abs=6e-5)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_overall_scores_agree_with_their_definitions(first, second, correlation):
    scores = {"sst5": first, "quora": second, "sts": correlation}
    share = (correlation + 1) / 2
    assert TasksSpec().overall_score(scores, METRICS) == pytest.approx((first + second + share) / 3)
    assert TasksSpec(overall="mean").overall_score(scores, METRICS) == pytest.approx((first + second + correlation) / 3)
    assert TasksSpec(overall="lowest").overall_score(scores, METRICS) == min(first, second, share)


@given(st.integers(2, 50))
def test_annealing_goes_from_proportional_to_a_fifth_in_equal_steps(n_epochs):
    alphas = [AnnealedSampling().alpha(epoch, n_epochs) for epoch in range(n_epochs)]
    # Stickland & Murray 2019: 1 - 0.8 (e - 1) / (E - 1), epochs counted from 1
    assert alphas == pytest.approx([1 - 0.8 * (e - 1) / (n_epochs - 1) for e in range(1, n_epochs + 1)])


def test_one_epoch_of_annealing_is_proportional():
    assert AnnealedSampling().alpha(0, 1) == ProportionalSampling().alpha(0, 1) == 1.0
    assert TemperedSampling(power=0.5).alpha(3, 9) == 0.5


def test_a_task_that_is_not_named_has_the_defaults():
    assert TasksSpec(each={"sts": TaskSpec(pairs="apart")}).of("quora") == TaskSpec()


@pytest.mark.parametrize(
    "fault",
    [
        {"sampling": {"kind": "greedy"}},
        {"each": {"sts": {"weight": 0}}},
        {"each": {"sts": {"metric": "bleu"}}},
        {"heads": {"dropout": 1}},
        {"overall": "best"},
    ],
)
def test_what_makes_no_sense_is_refused(fault):
    with pytest.raises(ValidationError):
        TasksSpec.model_validate_json(json.dumps(fault))
