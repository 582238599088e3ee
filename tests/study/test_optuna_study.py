"""Optuna's own plots and pages read a study's trials: values by epoch, the metric's name, a note."""

from pathlib import Path

import optuna
import optuna_dashboard
import pytest
from fake_studies import N_EPOCHS, N_LAYERS, RATES, StudyResult, score_of, study, study_spec
from optuna_dashboard._note import get_note_from_system_attrs

from finetune_alf.score_text import score_text
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
    before = Path(result.database).read_bytes()
    in_memory(result.records).optimize(lambda trial: 0.0, n_trials=1)
    assert Path(result.database).read_bytes() == before


def test_the_database_itself_has_the_metric_the_values_by_epoch_and_a_note(result: StudyResult) -> None:
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}")
    assert stored.metric_names == ["accuracy"]
    assert [list(trial.intermediate_values) for trial in stored.trials if "repeats" not in trial.user_attrs]
    for trial, record in zip(stored.trials, result.records, strict=True):
        assert record.result is not None
        assert trial.intermediate_values == {epoch.epoch + 1: epoch.validation_score for epoch in record.result.epochs}
    assert "scored by accuracy on the validation split" in optuna_dashboard.get_note(stored)


def notes_of(result: StudyResult) -> dict[int, str]:
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}")
    attributes = stored._storage.get_study_system_attrs(stored._study_id)
    found = {
        each.number: get_note_from_system_attrs(attributes, each._trial_id)["body"] for each in stored.get_trials()
    }
    return {number: note for number, note in found.items() if note}


def test_the_best_trials_have_notes_with_rank_and_score_and_no_others_have(tmp_path: Path) -> None:
    few = study(tmp_path, study_spec(n_trials=4))
    assert len(notes_of(few)) == 3
    assert notes_of(few)[few.best.number].startswith(f"**Rank 1 of 4**: accuracy {score_text(few.best.score)}")
    more = study(tmp_path, study_spec(n_trials=9))
    best = sorted(more.records, key=lambda record: (-(record.score or 0), record.number))[:3]
    assert sorted(notes_of(more)) == sorted(record.number for record in best)


def test_a_users_own_note_on_a_trial_is_kept(tmp_path: Path) -> None:
    result = study(tmp_path, study_spec(n_trials=3))
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}")
    place = f"dashboard:{stored.trials[0]._trial_id}:note_str:0"
    stored._storage.set_study_system_attr(stored._study_id, place, "mine")
    study(tmp_path, study_spec(n_trials=4))
    assert notes_of(result)[0] == "mine"


def test_a_trial_without_a_result_has_no_values_by_epoch(result: StudyResult) -> None:
    without = tuple(record.model_copy(update={"result": None}) for record in result.records)
    assert [trial.intermediate_values for trial in in_memory(without).trials] == [{}] * len(without)
