import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_alf.errors import InputError, PartialError
from finetune_alf.metrics import METRICS
from finetune_alf.rates import LayerRates, UniformRates
from finetune_alf.recipe import Recipe, TasksSpec
from finetune_alf.register.candidates import Candidate, choose, pick_trials, ranked
from finetune_alf.register.confirm import at_least_two, confirmed, job_key
from finetune_alf.seeds import child_seed
from finetune_alf.stats import mean_interval, score_interval
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import TaskResult
from planted_results import planted

GRID = (0.0, 1e-6, 1e-5, 1e-4)
distance = ChoicesSpace(rates=GRID).grid_step_distance

BASELINE = LayerRates.of(5e-5, [5e-5, 5e-5], 1e-3)  # off the grid: no drawn trial equals it

places = st.lists(st.sampled_from(range(4)), min_size=3, max_size=3)
scored = st.tuples(places, st.sampled_from([None, 0.5, 0.6, 0.7, 0.8]))


def rates(chosen):
    return dict(LayerRates.of(GRID[chosen[0]], [GRID[place] for place in chosen[1:]], 1e-3))


def trial(number, chosen, score):
    return TrialRecord(
        number=number,
        state="complete" if score is not None else "failed",
        rates=rates(chosen),
        score=score,
        reason=None if score is not None else "diverged",
        started_ms=0,
        ended_ms=1,
        result=None,
    )


def candidate(number, chosen, mean):
    return Candidate(
        trial=number, rates=rates(chosen), search_score=0.9, scores=(mean,), mean=mean, low=mean - 0.1, high=mean + 0.1
    )


@given(st.lists(scored, min_size=2, max_size=20), st.integers(2, 5), st.sampled_from([0.3, 1.0, 2.0]))
def test_picked_trials_differ_clearly_and_nothing_better_was_passed_over(drawn, n_top, least):
    records = [trial(number, chosen, score) for number, (chosen, score) in enumerate(drawn)]
    try:
        picked = pick_trials(records, BASELINE, n_top, distance, least)
    except InputError:
        done = [record.layer_rates for record in records if record.score is not None]
        best = max((r for r in records if r.score is not None), key=lambda r: (r.score, -r.number), default=None)
        assert best is None or all(distance(best.layer_rates, other) < least for other in done)
        return
    assert len(picked) <= n_top
    assert [r.score for r in picked] == sorted((r.score for r in picked), reverse=True)
    for record in records:
        if record.score is None or record in picked:
            continue
        near = any(distance(record.layer_rates, other.layer_rates) < least for other in picked)
        assert near or (record.score <= picked[-1].score and len(picked) == n_top)


def test_too_few_different_trials_name_the_way_out():
    records = [trial(0, (1, 1, 1), 0.8), trial(1, (1, 1, 1), 0.9)]
    with pytest.raises(InputError, match=r"register.min_distance: .*leave 1 of 2. Lower it, or raise n_trials"):
        pick_trials(records, BASELINE, 3, distance, 1.0)


def test_the_baseline_itself_is_no_candidate():
    records = [trial(0, (3, 3, 3), 0.9), trial(1, (0, 0, 0), 0.8), trial(2, (1, 1, 1), 0.7)]
    picked = pick_trials(records, records[0].layer_rates, 3, distance, 1.0)
    assert [record.number for record in picked] == [1, 2]


def test_alf_1_has_the_best_confirmed_score_whatever_the_search_said():
    by_score = ranked([candidate(4, (3, 3, 3), 0.7), candidate(9, (0, 0, 0), 0.8)], distance)
    chosen = choose(by_score, 1.0)
    assert (chosen["alf-1"].trial, chosen["alf-2"].trial) == (9, 4)
    assert (chosen["alf-1"].distance, chosen["alf-2"].distance) == (0.0, 3.0)


def test_alf_2_passes_over_a_near_copy():
    by_score = ranked(
        [candidate(1, (3, 3, 3), 0.8), candidate(2, (3, 3, 2), 0.79), candidate(3, (0, 0, 0), 0.6)], distance
    )
    assert choose(by_score, 1.0)["alf-2"].trial == 3


def test_fewer_than_two_that_held_is_said():
    with pytest.raises(PartialError, match="1 of 2 did not diverge"):
        at_least_two("minilm", [candidate(1, (1, 1, 1), 0.7), None])


def fit(predictions, score):
    """A fit that predicted so, for a confirmation."""
    return planted(score=score, predictions=tuple(predictions))


@pytest.mark.parametrize("metric", ["f1", "matthews", "balanced_accuracy"])
def test_a_confirmed_score_has_the_interval_of_its_own_metric(metric):
    rng = np.random.default_rng(2)
    truth = rng.choice(2, 80, p=(0.8, 0.2)).tolist()
    said = [[t if rng.random() < 0.8 else 1 - t for t in truth] for _ in range(2)]
    results = {job_key(4, index): fit(one, METRICS[metric](truth, one)) for index, one in enumerate(said)}
    template = FitJob(
        "", Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16), None, "digest", 0, metric=metric
    )
    held = confirmed(trial(4, (1, 1, 1), 0.9), results, template, 2, {"cola": truth})
    assert held.mean == pytest.approx(np.mean([METRICS[metric](truth, one) for one in said]))
    assert held.low < held.mean < held.high
    interval = score_interval(METRICS[metric], truth, said, 2000, child_seed(0, "confirmed"))
    assert (held.low, held.high) == (interval.low, interval.high)


def test_a_confirmed_accuracy_keeps_its_interval_in_closed_form():
    truth, said = [0, 1] * 20, [[0, 1] * 15 + [0, 0] * 5, [0, 1] * 12 + [1, 1] * 8]
    results = {job_key(4, index): fit(one, METRICS["accuracy"](truth, one)) for index, one in enumerate(said)}
    template = FitJob("", Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16), None, "digest", 0)
    held = confirmed(trial(4, (1, 1, 1), 0.9), results, template, 2, {"films": truth})
    interval = mean_interval([np.equal(one, truth) for one in said])
    assert (held.low, held.high) == (interval.low, interval.high)


def test_the_overall_score_of_several_tasks_has_an_interval_too():
    rng = np.random.default_rng(3)
    truths = {"sst": rng.integers(0, 2, 40).tolist(), "sts": rng.uniform(0, 5, 30).tolist()}
    recipe = Recipe(rates=UniformRates(rate=1e-5), epochs=1, batch=8, max_tokens=16, tasks=TasksSpec())
    metrics, results = {"sst": "accuracy", "sts": "pearson"}, {}
    for index in range(2):
        said = {"sst": rng.integers(0, 2, 40).tolist(), "sts": rng.uniform(0, 5, 30).tolist()}
        scores = {task: METRICS[metrics[task]](truths[task], said[task]) for task in said}
        tasks = {
            task: TaskResult(metric=metrics[task], score=scores[task], loss=0.5, predictions=tuple(said[task]))
            for task in said
        }
        results[job_key(4, index)] = fit((), recipe.tasks.score(scores, metrics)).model_copy(update={"tasks": tasks})
    held = confirmed(trial(4, (1, 1, 1), 0.9), results, FitJob("", recipe, None, "digest", 0), 2, truths)
    assert 0 < held.low < held.mean < held.high < 1
    assert held.mean == pytest.approx(np.mean([result.score for result in results.values()]))
