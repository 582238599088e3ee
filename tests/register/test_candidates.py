import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_results import fake_result, fake_trial
from finetune_alf.errors import InputError, PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.metrics import ACCURACY, sample_metric
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe, TasksSpec
from finetune_alf.register.candidates import (
    Candidate,
    choose_schedules,
    confirmed_candidates,
    rank_candidates,
    select_trials,
)
from finetune_alf.register.confirm import confirmations, job_key
from finetune_alf.stats import estimate, scores_of
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.train.result import TaskResult

GRID = (0.0, 1e-6, 1e-5, 1e-4)
distance = ChoicesSpace(rates=GRID).grid_step_distance

BASELINE = LayerRates.of(5e-5, [5e-5, 5e-5], 1e-3)  # off the grid: no drawn trial equals it

grid_indices = st.lists(st.sampled_from(range(4)), min_size=3, max_size=3)
scored = st.tuples(grid_indices, st.sampled_from([None, 0.5, 0.6, 0.7, 0.8]))


def rates(indices):
    return dict(LayerRates.of(GRID[indices[0]], [GRID[index] for index in indices[1:]], 1e-3))


def trial(number, indices, score):
    return fake_trial(number, rates(indices), score)


def candidate(number, indices, mean):
    return Candidate(
        trial=number, rates=rates(indices), search_score=0.9, scores=(mean,), mean=mean, low=mean - 0.1, high=mean + 0.1
    )


@given(st.lists(scored, min_size=2, max_size=20), st.integers(2, 5), st.sampled_from([0.3, 1.0, 2.0]))
def test_selected_trials_are_far_apart_and_no_better_trial_is_left_out(drawn, n_top, min_distance):
    records = [trial(number, indices, score) for number, (indices, score) in enumerate(drawn)]
    try:
        selected = select_trials(records, BASELINE, n_top, distance, min_distance)
    except InputError:
        complete = [record.rates for record in records if record.score is not None]
        best = max((r for r in records if r.score is not None), key=lambda r: (r.score, -r.number), default=None)
        assert best is None or all(distance(best.rates, other) < min_distance for other in complete)
        return
    assert len(selected) <= n_top
    assert [r.score for r in selected] == sorted((r.score for r in selected), reverse=True)
    for record in records:
        if record.score is None or record in selected:
            continue
        near = any(distance(record.rates, other.rates) < min_distance for other in selected)
        assert near or (record.score <= selected[-1].score and len(selected) == n_top)


def test_fewer_than_two_different_trials_are_refused():
    records = [trial(0, (1, 1, 1), 0.8), trial(1, (1, 1, 1), 0.9)]
    with pytest.raises(InputError, match=r"register.min_distance: .*1 leaves 1 of 2"):
        select_trials(records, BASELINE, 3, distance, 1.0)


def test_without_a_distance_a_trial_with_the_rates_of_a_better_one_is_not_selected():
    records = [trial(0, (1, 1, 1), 0.9), trial(1, (1, 1, 1), 0.9), trial(2, (1, 1, 2), 0.8)]
    assert [record.number for record in select_trials(records, BASELINE, 2, distance, 0.0)] == [0, 2]
    with pytest.raises(InputError, match=r"but 0 leaves 1 of 2\. Raise n_trials\.$"):
        select_trials(records[:2], BASELINE, 2, distance, 0.0)


def test_the_baseline_is_not_selected():
    records = [trial(0, (3, 3, 3), 0.9), trial(1, (0, 0, 0), 0.8), trial(2, (1, 1, 1), 0.7)]
    selected = select_trials(records, records[0].rates, 3, distance, 1.0)
    assert [record.number for record in selected] == [1, 2]


def test_alf_1_has_the_best_confirmed_score_not_the_best_search_score():
    by_score = rank_candidates([candidate(4, (3, 3, 3), 0.7), candidate(9, (0, 0, 0), 0.8)], distance)
    chosen = choose_schedules(by_score, 1.0)
    assert (chosen["alf-1"].trial, chosen["alf-2"].trial) == (9, 4)
    assert (chosen["alf-1"].distance, chosen["alf-2"].distance) == (0.0, 3.0)


def test_alf_2_is_not_a_near_copy_of_alf_1():
    by_score = rank_candidates(
        [candidate(1, (3, 3, 3), 0.8), candidate(2, (3, 3, 2), 0.79), candidate(3, (0, 0, 0), 0.6)], distance
    )
    assert choose_schedules(by_score, 1.0)["alf-2"].trial == 3


def test_two_trials_must_be_confirmed():
    trials = [trial(1, (1, 1, 1), 0.9), trial(2, (0, 0, 0), 0.8)]
    again = confirmed({job_key("trial-1", 0): fit((0, 1), 1.0)}, ["trial-1"], 1, {"films": (0, 1)}, {"films": ACCURACY})
    with pytest.raises(PartialError, match="1 of 2 did not diverge"):
        confirmed_candidates("minilm", trials, again)


RECIPE = Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16)


def fit(predictions, score):
    """The result of a confirmation with these predictions."""
    return fake_result(score=score, predictions=tuple(predictions))


def confirmed(results, names, n_seeds, truths, metrics, recipe=RECIPE):
    """The confirmation of trials, whose fits had these results."""
    template = FitJob("", recipe, None, "digest", 0, "fp32")
    own = {name: LayerRates(rates((place, 1, 1))) for place, name in enumerate(names)}
    return confirmations(own, results, template, n_seeds, truths, metrics)


def mean_and_interval(results, n_seeds, truths, metrics, recipe=RECIPE):
    return confirmed(results, ["trial-4"], n_seeds, truths, metrics, recipe)["trial-4"].estimate


@pytest.mark.parametrize("metric", ["f1", "matthews", "balanced_accuracy"])
def test_a_confirmed_score_has_the_interval_of_its_own_metric(metric):
    rng, measure = np.random.default_rng(2), sample_metric(metric, 2)
    truth = rng.choice(2, 80, p=(0.8, 0.2)).tolist()
    predictions = [[t if rng.random() < 0.8 else 1 - t for t in truth] for _ in range(2)]
    results = {job_key("trial-4", index): fit(one, measure(truth, one)) for index, one in enumerate(predictions)}
    found = mean_and_interval(results, 2, {"cola": truth}, {"cola": measure})
    assert found.mean == pytest.approx(np.mean([measure(truth, one) for one in predictions]))
    assert found.low < found.mean < found.high
    interval = estimate(scores_of(measure, truth, dict(enumerate(predictions))))
    assert (found.low, found.high) == (interval.low, interval.high)


def test_a_confirmed_accuracy_has_the_interval_over_seeds_and_texts():
    truth, predictions = [0, 1] * 20, [[0, 1] * 15 + [0, 0] * 5, [0, 1] * 12 + [1, 1] * 8]
    results = {job_key("trial-4", index): fit(one, ACCURACY(truth, one)) for index, one in enumerate(predictions)}
    found = mean_and_interval(results, 2, {"films": truth}, {"films": ACCURACY})
    interval = estimate(scores_of(ACCURACY, truth, dict(enumerate(predictions))))
    assert (found.low, found.high) == (interval.low, interval.high)


def test_the_overall_score_of_several_tasks_has_an_interval():
    rng = np.random.default_rng(3)
    truths = {"sst": rng.integers(0, 2, 40).tolist(), "sts": rng.uniform(0, 5, 30).tolist()}
    recipe = RECIPE.model_copy(update={"tasks": TasksSpec()})
    metrics, results = {"sst": ACCURACY, "sts": sample_metric("pearson", 0)}, {}
    for index in range(2):
        predictions = {
            "sst": [t if rng.random() < 0.8 else 1 - t for t in truths["sst"]],
            "sts": [t + rng.normal(0, 1) for t in truths["sts"]],
        }
        scores = {task: metrics[task](truths[task], predictions[task]) for task in predictions}
        tasks = {
            task: TaskResult(
                metric=metrics[task].name, score=scores[task], loss=0.5, predictions=tuple(predictions[task])
            )
            for task in predictions
        }
        score = recipe.tasks.overall_score(scores, {"sst": "accuracy", "sts": "pearson"})
        results[job_key("trial-4", index)] = fit((), score).model_copy(update={"tasks": tasks})
    found = mean_and_interval(results, 2, truths, metrics, recipe)
    assert 0 < found.low < found.mean < found.high < 1
    assert found.mean == pytest.approx(np.mean([result.score for result in results.values()]))


@pytest.mark.parametrize(("n_classes", "f1"), [(2, 4 / 5), (3, (2 / 3 + 4 / 5) / 2)])
def test_the_interval_of_a_confirmed_f1_is_over_the_samples_classes(n_classes, f1):
    truth, predictions, metrics = [0, 0, 1, 1], (0, 1, 1, 1), {"cola": sample_metric("f1", n_classes)}
    results = {job_key("trial-4", 0): fit(predictions, f1)}
    found = mean_and_interval(results, 1, {"cola": truth}, metrics)
    own = estimate(scores_of(metrics["cola"], truth, {0: predictions}))
    other = estimate(scores_of(sample_metric("f1", 5 - n_classes), truth, {0: predictions}))
    assert own.mean == pytest.approx(f1)
    assert (found.low, found.high) == (own.low, own.high) != (other.low, other.high)
