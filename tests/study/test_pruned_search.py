"""A search under a pruner: the sampler sees pruned trials, as stock Optuna's does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import fake_studies
import optuna
import pytest
from fake_studies import N_LAYERS, RATES, FakeFit, epochs_up_to, fit_result, outcome_of, score_of, study, study_spec

from finetune_alf.execute import FusedExecutor, OnReport, Outcome
from finetune_alf.jobs.job import FitJob
from finetune_alf.seeds import child_seed
from finetune_alf.study.pruner import StudyPruner
from finetune_alf.study.records import TrialRecord, best_trial
from finetune_alf.study.sampler import Observation, PrunedObservation, observation_of, suggest
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import AnyPruner, MedianPruner, SuccessiveHalvingPruner, TpeSampler
from finetune_alf.train.result import FitResult

GRID = ChoicesSpace(rates=RATES)
SAMPLER = TpeSampler(n_startup_trials=5)
N_EPOCHS = 6
PRUNERS = [MedianPruner(), SuccessiveHalvingPruner()]


def observed(records: list[TrialRecord]) -> list[Observation | PrunedObservation]:
    """Return what a sampler sees of the trials."""
    return [seen for record in records if (seen := observation_of(record, GRID)) is not None]


def searched(pruner_spec: AnyPruner | None, seed: int, n_trials: int) -> list[TrialRecord]:
    """Return the trials of a search with planted epochs: each rises to the score of its rates."""
    pruner = StudyPruner(pruner_spec, N_EPOCHS, []) if pruner_spec else None
    records: list[TrialRecord] = []
    for number in range(n_trials):
        params = suggest(SAMPLER, GRID, N_LAYERS, observed(records), seed, number)
        rates = GRID.layer_rates(params, N_LAYERS, 1e-3)
        epochs = epochs_up_to(score_of(rates), N_EPOCHS)
        pruned_at = next((n for n, e in enumerate(epochs, start=1) if pruner and pruner.should_prune(number, e)), None)
        records.append(
            TrialRecord.model_construct(
                number=number,
                state="pruned" if pruned_at else "complete",
                rates=rates,
                score=None if pruned_at else epochs[-1].validation_score,
                result=fit_result(None, epochs[:pruned_at]),
            )
        )
        if pruner:
            pruner.tell(records[-1])
    return records


def optuna_study_of(records: Sequence[TrialRecord]) -> optuna.Study:
    """Return the study of these trials as a user of stock Optuna gets it: with `report` and TrialPruned."""
    study = optuna.create_study(direction="maximize")
    remaining = iter(records)

    def objective(trial: optuna.Trial) -> float:
        record = next(remaining)
        for epoch in record.result.epochs if record.result else ():
            assert epoch.validation_score is not None
            trial.report(epoch.validation_score, step=epoch.epoch + 1)
        if record.score is None:
            raise optuna.TrialPruned
        return record.score

    for record in records:
        params = GRID.params_of(record.rates)
        assert params is not None
        study.enqueue_trial(params)
        trial = study.ask(GRID.distributions(N_LAYERS))
        try:
            study.tell(trial, objective(trial))
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return study


@pytest.mark.parametrize("pruner", PRUNERS)
def test_tpe_suggests_what_stock_optuna_does_after_the_same_trials(pruner: AnyPruner) -> None:
    records = searched(pruner, seed=1, n_trials=20)
    assert 5 < len([record for record in records if record.state == "pruned"]) < 15
    study = optuna_study_of(records)
    for number in range(20, 30):
        study.sampler = optuna.samplers.TPESampler(
            seed=child_seed(1, "proposal", number), n_startup_trials=5, multivariate=False, constant_liar=False
        )
        trial = study.ask(GRID.distributions(N_LAYERS))
        suggested = suggest(SAMPLER, GRID, N_LAYERS, observed(records), 1, number)
        assert suggested == trial.params
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def test_pruned_trials_are_observed_with_the_scores_of_their_epochs_and_failed_ones_are_not() -> None:
    records = searched(MedianPruner(n_startup_trials=2), seed=1, n_trials=8)
    failed = records[0].model_copy(update={"state": "failed", "score": None})
    seen = observed([failed, *records[1:]])
    assert [type(one) for one in seen] == [
        Observation if record.state == "complete" else PrunedObservation for record in records[1:]
    ]
    pruned = next(record for record in records if record.state == "pruned")
    scores = {n: e.validation_score for n, e in enumerate(pruned.result.epochs, start=1)} if pruned.result else {}
    assert PrunedObservation(GRID.params_of(pruned.rates) or {}, scores) in seen


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_pruner_costs_epochs_not_score(pruner: AnyPruner) -> None:
    """Where each epoch ranks the trials as their ends do, the search is the same, trial by trial."""
    whole, pruned = searched(None, seed=3, n_trials=30), searched(pruner, seed=3, n_trials=30)
    assert [record.rates for record in pruned] == [record.rates for record in whole]
    assert best_trial(pruned) == best_trial(whole)
    assert n_epochs(whole) == 30 * N_EPOCHS
    assert n_epochs(pruned) < 0.75 * n_epochs(whole)


def n_epochs(records: Sequence[TrialRecord]) -> int:
    return sum(len(record.result.epochs) for record in records if record.result)


class LockstepFits(FakeFit):
    """Fused fits that report epoch by epoch; the pruned ones end first."""

    def run_fused(self, jobs: Sequence[FitJob], report: OnReport) -> Iterator[Outcome[FitJob, FitResult]]:
        running = {job.key: (job, epochs_up_to(score_of(job.recipe.rates.at(N_LAYERS)))) for job in jobs}
        for epoch in range(fake_studies.N_EPOCHS):
            for key, (job, epochs) in list(running.items()):
                if not report(job, epochs[epoch]):
                    del running[key]
                    yield Outcome(job, fit_result(None, epochs[: epoch + 1], "pruned"), None)
        for job, epochs in running.values():
            yield Outcome(job, fit_result(score_of(job.recipe.rates.at(N_LAYERS)), epochs), None)


@pytest.mark.parametrize(
    "pruner",
    ["successive_halving", pytest.param({"kind": "median", "n_startup_trials": 2}, marks=pytest.mark.long)],
)
def test_a_fused_study_under_a_pruner_resumes_as_if_it_had_not_been_interrupted(tmp_path: Path, pruner: object) -> None:
    spec = {"pruner": pruner, "sampler": {"kind": "tpe", "n_startup_trials": 4, "lag": 3}}
    for n_trials in (6, 12):
        resumed = study(tmp_path / "a", study_spec(**spec, n_trials=n_trials), LockstepFits(), FusedExecutor(3))
    whole = study(tmp_path / "b", study_spec(**spec, n_trials=12), LockstepFits(), FusedExecutor(3))
    assert outcome_of(resumed) == outcome_of(whole)
    assert {record.state for record in whole.records} == {"complete", "pruned"}
