"""Optuna's own plots and pages read a study's trials: values by epoch, the metric's name, a note."""

import optuna
import optuna_dashboard
import pytest
from fake_studies import N_EPOCHS, N_LAYERS, RATES, StudyResult, score_of, study, study_spec

from finetune_alf.study.optuna_study import optuna_study
from finetune_alf.study.records import TrialRecord
from finetune_alf.study.spec import StudySpec

SPEC = study_spec(n_trials=6, enqueue=["baseline", "decayed"])


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return study(tmp_path_factory.mktemp("optuna"), SPEC)


def in_memory(records: tuple[TrialRecord, ...], spec: StudySpec = SPEC) -> optuna.Study:
    return optuna_study(records, spec.space, N_LAYERS, spec.score_name)


def test_every_trial_has_its_score_rates_and_values_by_epoch(result: StudyResult) -> None:
    found = in_memory(result.records)
    assert [trial.value for trial in found.trials] == [score_of(record.rates) for record in result.records]
    for trial, record in zip(found.trials, result.records, strict=True):
        assert list(trial.intermediate_values) == list(range(1, N_EPOCHS + 1))
        rates = {f"rates.{address}": rate for address, rate in record.rates.items() if address != "head"}
        assert trial.params == (rates if set(rates.values()) <= set(RATES) else {})
        assert trial.datetime_complete is not None


def test_a_trial_off_the_grid_has_no_params(result: StudyResult) -> None:
    finer = study_spec(space={"kind": "choices", "rates": [1e-9, 1e-4]})
    assert all(trial.params == {} for trial in in_memory(result.records, finer).trials)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optunas_plots_show_the_metric_and_the_params(result: StudyResult) -> None:
    found = in_memory(result.records)
    history = optuna.visualization.matplotlib.plot_optimization_history(found)
    assert len(history.collections[0].get_offsets()) == len(result.records)
    assert list(found.trials_dataframe()["value_accuracy"]) == [record.score for record in result.records]
    values = optuna.visualization.matplotlib.plot_intermediate_values(found)
    assert len(values.lines) == len(result.records)


def test_trials_added_to_it_do_not_reach_the_database(result: StudyResult) -> None:
    before = result.database.read_bytes()
    in_memory(result.records).optimize(lambda trial: 0.0, n_trials=1)
    assert result.database.read_bytes() == before


def test_the_database_itself_has_the_metric_the_values_by_epoch_and_a_note(result: StudyResult) -> None:
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}")
    assert stored.metric_names == ["accuracy"]
    assert [list(trial.intermediate_values) for trial in stored.trials if "repeats" not in trial.user_attrs]
    for trial, record in zip(stored.trials, result.records, strict=True):
        assert record.result is not None
        assert trial.intermediate_values == {epoch.epoch + 1: epoch.validation_score for epoch in record.result.epochs}
    assert "scored by accuracy on the validation split" in optuna_dashboard.get_note(stored)


def test_a_trial_without_a_result_has_no_values_by_epoch(result: StudyResult) -> None:
    without = tuple(record.model_copy(update={"result": None}) for record in result.records)
    assert [trial.intermediate_values for trial in in_memory(without).trials] == [{}] * len(without)
