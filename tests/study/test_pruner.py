"""Pruning by epochs, with the same decisions before and after a restart."""

import json

import pytest
from fake_studies import epochs_up_to, fit_result, study_spec

from finetune_alf.study.pruner import StudyPruner
from finetune_alf.study.records import TrialRecord, TrialState
from finetune_alf.study.spec import AnyPruner, MedianPruner, SuccessiveHalvingPruner
from finetune_alf.train.result import EpochMetrics

N_EPOCHS = 8


def record(number: int, score: float, n_epochs: int = N_EPOCHS, state: TrialState = "complete") -> TrialRecord:
    return TrialRecord.model_construct(
        number=number,
        state=state,
        score=score if state == "complete" else None,
        result=fit_result(score, epochs_up_to(score, N_EPOCHS)[:n_epochs]),
    )


def run_trial(pruner: StudyPruner, number: int, score: float) -> int:
    """Run a trial under a pruner; return after how many epochs it ends."""
    epochs = epochs_up_to(score, N_EPOCHS)
    n_done = next((n for n, epoch in enumerate(epochs, start=1) if pruner.should_prune(number, epoch)), N_EPOCHS)
    pruner.tell(record(number, score, n_done, "complete" if n_done == N_EPOCHS else "pruned"))
    return n_done


def test_the_median_pruner_prunes_below_the_median_after_its_startup_trials() -> None:
    pruner = StudyPruner(MedianPruner(n_startup_trials=3), N_EPOCHS, [])
    assert [run_trial(pruner, number, score) for number, score in enumerate((0.5, 0.6, 0.7))] == [N_EPOCHS] * 3
    assert run_trial(pruner, 3, 0.4) == 1
    assert run_trial(pruner, 4, 0.65) == N_EPOCHS


def test_no_trial_is_pruned_in_its_warmup_epochs() -> None:
    pruner = StudyPruner(MedianPruner(n_startup_trials=1, n_warmup_epochs=3), N_EPOCHS, [record(0, 0.9)])
    assert run_trial(pruner, 1, 0.1) == 4


def test_successive_halving_prunes_at_its_rungs() -> None:
    pruner = StudyPruner(SuccessiveHalvingPruner(min_epochs=2, reduction_factor=2), N_EPOCHS, [])
    ends = [run_trial(pruner, number, 0.9 - 0.1 * number) for number in range(4)]
    assert ends[0] == N_EPOCHS
    assert set(ends[1:]) <= {2, 4, N_EPOCHS}
    assert ends[3] == 2


@pytest.mark.parametrize(
    "spec", [MedianPruner(n_startup_trials=2), SuccessiveHalvingPruner(min_epochs=1, reduction_factor=2)]
)
def test_a_pruner_made_from_finished_trials_decides_like_the_one_that_ran_them(spec: AnyPruner) -> None:
    scores = [0.5, 0.7, 0.3, 0.6, 0.65, 0.2, 0.8, 0.55]
    uninterrupted = StudyPruner(spec, N_EPOCHS, [])
    ends = [run_trial(uninterrupted, number, score) for number, score in enumerate(scores)]
    for stop in range(1, len(scores)):
        finished = [
            record(number, score, end, "complete" if end == N_EPOCHS else "pruned")
            for number, (score, end) in enumerate(zip(scores[:stop], ends[:stop], strict=True))
        ]
        resumed = StudyPruner(spec, N_EPOCHS, finished)
        rest = [run_trial(resumed, number, score) for number, score in enumerate(scores) if number >= stop]
        assert rest == ends[stop:]


@pytest.mark.parametrize("spec", [MedianPruner(n_startup_trials=1), SuccessiveHalvingPruner()])
def test_a_trial_that_starts_over_is_compared_from_its_first_epoch(spec: AnyPruner) -> None:
    pruner = StudyPruner(spec, N_EPOCHS, [record(0, 0.5)])
    for epoch in epochs_up_to(0.6, N_EPOCHS)[:3]:
        pruner.should_prune(1, epoch)
    assert run_trial(pruner, 1, 0.6) == N_EPOCHS


@pytest.mark.parametrize("spec", [MedianPruner(n_startup_trials=1), SuccessiveHalvingPruner()])
def test_trials_that_run_beside_one_another_and_end_out_of_order_leave_the_same_pruner(spec: AnyPruner) -> None:
    pruner = StudyPruner(spec, N_EPOCHS, [record(0, 0.5)], lag=4)
    scores = {1: 0.3, 2: 0.7, 3: 0.6, 4: 0.55}
    ends: dict[int, int] = {}
    for epoch in range(N_EPOCHS):
        for number in sorted(scores.keys() - ends.keys(), reverse=True):
            answer = pruner.should_prune(number, epochs_up_to(scores[number], N_EPOCHS)[epoch])
            if answer or epoch == N_EPOCHS - 1:
                ends[number] = epoch + 1
                pruner.tell(record(number, scores[number], epoch + 1, "pruned" if answer else "complete"))
    records = [
        record(number, scores[number], ends[number], "complete" if ends[number] == N_EPOCHS else "pruned")
        for number in scores
    ]
    assert list(ends) != sorted(ends)
    resumed = StudyPruner(spec, N_EPOCHS, [record(0, 0.5), *records], lag=4)
    for number, score in enumerate((0.45, 0.65, 0.58, 0.9), start=5):
        assert run_trial(pruner, number, score) == run_trial(resumed, number, score)


def test_a_trial_that_starts_over_gets_the_answers_that_it_had() -> None:
    pruner = StudyPruner(SuccessiveHalvingPruner(), N_EPOCHS, [record(0, 0.5), record(1, 0.6), record(2, 0.7)])
    for _ in range(2):
        assert pruner.should_prune(3, epochs_up_to(0.55, N_EPOCHS)[0])  # not in the better half of its first rung
    assert pruner.should_prune(4, epochs_up_to(0.59, N_EPOCHS)[0])  # it would be, if trial 3 were there twice


@pytest.mark.parametrize("spec", [MedianPruner(n_startup_trials=1), SuccessiveHalvingPruner()])
def test_no_trial_is_pruned_after_its_last_epoch(spec: AnyPruner) -> None:
    late = [epoch.model_copy(update={"validation_score": 0.1}) for epoch in epochs_up_to(0.9, N_EPOCHS)]
    late[-1] = late[-1].model_copy(update={"validation_score": 0.9})
    first = record(0, 0.9).model_copy(update={"result": fit_result(0.9, tuple(late))})
    pruner = StudyPruner(spec, N_EPOCHS, [first])
    steady = [epoch.model_copy(update={"validation_score": 0.2}) for epoch in late]
    assert [pruner.should_prune(1, epoch) for epoch in steady] == [False] * N_EPOCHS


def test_an_epoch_without_a_score_does_not_prune() -> None:
    epoch = EpochMetrics.model_validate_json(
        json.dumps({**epochs_up_to(0.5)[0].model_dump(), "validation_score": None, "validation_loss": None})
    )
    assert not StudyPruner(MedianPruner(n_startup_trials=0), N_EPOCHS, [record(0, 0.9)]).should_prune(1, epoch)


def test_a_bare_name_stands_for_a_pruner_of_that_kind() -> None:
    assert study_spec(pruner="median").pruner == MedianPruner()
