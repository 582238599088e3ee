"""Judges: trials that are not worth finishing, judged alike before and after a restart."""

import json

import pytest
from planted import epochs_up_to, fit_result, study_spec

from finetune_alf.study.pruner import Judge
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


def epochs_seen(judge: Judge, number: int, score: float) -> int:
    """Run a trial under a judge; return after how many epochs it ends."""
    epochs = epochs_up_to(score, N_EPOCHS)
    n_done = next((n for n, epoch in enumerate(epochs, start=1) if not judge.go_on(number, epoch)), N_EPOCHS)
    judge.finish(record(number, score, n_done, "complete" if n_done == N_EPOCHS else "pruned"))
    return n_done


def test_the_median_pruner_stops_what_is_below_the_median_once_it_has_enough_to_compare() -> None:
    judge = Judge(MedianPruner(n_startup=3), [])
    assert [epochs_seen(judge, number, score) for number, score in enumerate((0.5, 0.6, 0.7))] == [N_EPOCHS] * 3
    assert epochs_seen(judge, 3, 0.4) == 1
    assert epochs_seen(judge, 4, 0.65) == N_EPOCHS


def test_warm_up_epochs_are_never_judged() -> None:
    judge = Judge(MedianPruner(n_startup=1, n_warmup_epochs=3), [record(0, 0.9)])
    assert epochs_seen(judge, 1, 0.1) == 4


def test_successive_halving_stops_at_its_rungs() -> None:
    judge = Judge(SuccessiveHalvingPruner(min_epochs=2, factor=2), [])
    ends = [epochs_seen(judge, number, 0.9 - 0.1 * number) for number in range(4)]
    assert ends[0] == N_EPOCHS
    assert set(ends[1:]) <= {2, 4, N_EPOCHS}
    assert ends[3] == 2


@pytest.mark.parametrize("spec", [MedianPruner(n_startup=2), SuccessiveHalvingPruner(min_epochs=1, factor=2)])
def test_a_judge_made_from_the_finished_trials_judges_as_the_one_that_saw_them_run(spec: AnyPruner) -> None:
    scores = [0.5, 0.7, 0.3, 0.6, 0.65, 0.2, 0.8, 0.55]
    through = Judge(spec, [])
    ends = [epochs_seen(through, number, score) for number, score in enumerate(scores)]
    for stop in range(1, len(scores)):
        seen = [
            record(number, score, end, "complete" if end == N_EPOCHS else "pruned")
            for number, (score, end) in enumerate(zip(scores[:stop], ends[:stop], strict=True))
        ]
        resumed = Judge(spec, seen)
        rest = [epochs_seen(resumed, number, score) for number, score in enumerate(scores) if number >= stop]
        assert rest == ends[stop:]


@pytest.mark.parametrize("spec", [MedianPruner(n_startup=1), SuccessiveHalvingPruner()])
def test_a_trial_that_starts_over_is_judged_from_its_first_epoch(spec: AnyPruner) -> None:
    judge = Judge(spec, [record(0, 0.5)])
    for epoch in epochs_up_to(0.6, N_EPOCHS)[:3]:
        judge.go_on(1, epoch)
    assert epochs_seen(judge, 1, 0.6) == N_EPOCHS


def test_an_epoch_without_an_accuracy_is_not_judged() -> None:
    epoch = EpochMetrics.model_validate_json(
        json.dumps({**epochs_up_to(0.5)[0].model_dump(), "validation_score": None, "validation_loss": None})
    )
    assert Judge(MedianPruner(n_startup=0), [record(0, 0.9)]).go_on(1, epoch)


def test_a_pruner_may_be_named_barely() -> None:
    assert study_spec(pruner="median").pruner == MedianPruner()
