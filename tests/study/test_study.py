"""A study from its first trial to its results, resumed, extended, and stopped."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from fake_studies import (
    ENVIRONMENT,
    N_EPOCHS,
    N_LAYERS,
    FakeFit,
    LightPool,
    epochs_up_to,
    fit_result,
    outcome_of,
    score_of,
    study,
    study_spec,
)

from finetune_alf.compute import EnvironmentShare
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.errors import InputError, PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.json_files import read_json
from finetune_alf.rates import HEAD, DecayedRates, LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.records import read_study, read_trials
from finetune_alf.train.result import EpochMetrics, FitResult

Report = Callable[[EpochMetrics], bool]


def test_a_study_has_n_trials_and_the_best_one_is_its_best(tmp_path: Path) -> None:
    result = study(tmp_path)
    assert [record.number for record in result.records] == list(range(12))
    assert result.best.score == max(record.score or 0 for record in result.records)
    assert all(record.score == score_of(record.rates) for record in result.records)


def test_every_trial_has_the_recipes_head_rate_and_one_fit_seed(tmp_path: Path) -> None:
    jobs: list[FitJob] = []

    def fit(job: FitJob, report: Report) -> FitResult:
        jobs.append(job)
        return FakeFit()(job, report)

    study(tmp_path, work=fit)
    assert {job.seed for job in jobs} == {child_seed(7, "fit")}
    assert {job.recipe.rates.at(N_LAYERS)[HEAD] for job in jobs} == {1e-3}
    assert {(job.sample, job.score_on, job.metric) for job in jobs} == {("5a" * 32, "validation", "accuracy")}
    assert len({job.key for job in jobs}) == len(jobs)


def test_two_studies_of_one_seed_are_equal_and_of_another_differ(tmp_path: Path) -> None:
    first = outcome_of(study(tmp_path / "a"))
    assert first == outcome_of(study(tmp_path / "b"))
    assert first != outcome_of(study(tmp_path / "c", study_spec(seed=8)))


def test_raising_n_trials_resumes_the_study(tmp_path: Path) -> None:
    first = study(tmp_path / "a", study_spec(n_trials=5))
    resumed = study(tmp_path / "a", study_spec(n_trials=12))
    assert resumed.records[:5] == first.records
    assert resumed.database == first.database
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "b", study_spec(n_trials=12)))


@pytest.mark.parametrize("n_trials", [6, 4, 1])
def test_a_study_that_has_enough_trials_fits_nothing_and_its_results_are_those_of_the_first(
    tmp_path: Path, n_trials: int
) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        raise AssertionError("fitted again")

    first = study(tmp_path, study_spec(n_trials=6))
    again = study(tmp_path, study_spec(n_trials=n_trials), work=fit)
    assert again.records == first.records[:n_trials]
    assert again.best.score == max(record.score or 0 for record in first.records[:n_trials])
    assert read_trials(tmp_path / "results/study/small/trials.jsonl") == list(again.records)
    assert study(tmp_path, study_spec(n_trials=6), work=fit).records == first.records


def test_fewer_trials_are_no_other_than_a_search_for_so_many_finds(tmp_path: Path) -> None:
    study(tmp_path / "a", study_spec(n_trials=9))
    fewer = study(tmp_path / "a", study_spec(n_trials=5))
    assert outcome_of(fewer) == outcome_of(study(tmp_path / "b", study_spec(n_trials=5)))
    files = [tmp_path / each / "results/study/small/best.json" for each in "ab"]
    assert read_json(files[0]) == read_json(files[1])


def test_enqueued_rates_come_first(tmp_path: Path) -> None:
    result = study(tmp_path, study_spec(enqueue=["baseline", "decayed"], n_trials=3))
    assert result.records[0].rates == LayerRates.of(5e-5, [5e-5] * N_LAYERS, 1e-3)
    assert result.records[1].rates == DecayedRates(rate=5e-5, decay=0.95, head=1e-3).at(N_LAYERS)


def test_enqueued_rates_off_the_grid_are_kept_without_params(tmp_path: Path) -> None:
    result = study(tmp_path, study_spec(enqueue=["baseline", "decayed"], n_trials=3))
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}").trials
    assert stored[0].params == dict.fromkeys(stored[2].params, 5e-5)
    assert stored[1].params == {}
    assert stored[1].user_attrs["rates"]["layer.0"] == pytest.approx(5e-5 * 0.95**2)


def test_the_addresses_of_a_block_have_the_same_rate_in_every_trial(tmp_path: Path) -> None:
    space = {"kind": "log", "low": 1e-8, "high": 1e-4, "blocks": [["embeddings", "layer.0", "layer.1"]]}
    for record in study(tmp_path, study_spec(space=space)).records:
        assert record.rates["embeddings"] == record.rates["layer.0"] == record.rates["layer.1"]
        assert record.rates["layer.2"] != record.rates["layer.1"]


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_pool_finds_the_same_trials_as_one_worker(tmp_path: Path, sampler: str) -> None:
    spec = study_spec(sampler=sampler, n_trials=5)
    assert outcome_of(study(tmp_path / "a", spec, executor=LightPool(2))) == outcome_of(study(tmp_path / "b", spec))


def test_the_results_are_written_as_files(tmp_path: Path) -> None:
    result = study(tmp_path)
    folder = tmp_path / "results/study/small"
    assert read_trials(folder / "trials.jsonl") == list(result.records)
    best = read_json(folder / "best.json")
    assert best == {"number": result.best.number, "score": result.best.score, "rates": result.best.rates}
    document = read_study(folder)
    assert document.encoder == EncoderIdentity(name="tiny", identity="random:0", n_layers=N_LAYERS)
    assert document.sample == SampleIdentity(name="films", digest="5a" * 32)
    assert (document.n_trials, document.n_workers, document.seed) == (12, 1, 7)
    assert Path(result.database).stem == f"small-{document.digest[:8]}"
    assert document.environments == (EnvironmentShare(environment=ENVIRONMENT, n_fits=12),)
    assert document.seconds == result.seconds


@pytest.mark.parametrize(("line", "reason"), [("{", "must be JSON"), ('{"number": 1}', "must be a trial")])
def test_an_invalid_line_of_the_results_is_named(tmp_path: Path, line: str, reason: str) -> None:
    study(tmp_path, study_spec(n_trials=2))
    path = tmp_path / "results/study/small/trials.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=rf"trials\.jsonl:3: {reason}"):
        read_trials(path)


def test_trials_of_an_earlier_start_are_told_apart_where_that_is_asked_for(tmp_path: Path) -> None:
    numbers: dict[str, list[int]] = {"new": [], "earlier": []}
    study(tmp_path, study_spec(n_trials=3))
    study(
        tmp_path,
        study_spec(n_trials=5),
        on_trial=lambda record: numbers["new"].append(record.number),
        on_earlier=lambda record: numbers["earlier"].append(record.number),
    )
    assert numbers == {"new": [3, 4], "earlier": [0, 1, 2]}


def test_on_trial_is_called_with_every_finished_trial_at_the_start_and_with_each_new_one(tmp_path: Path) -> None:
    numbers: list[int] = []
    epochs: list[tuple[int, int]] = []
    study(tmp_path, study_spec(n_trials=3), on_trial=lambda record: numbers.append(record.number))
    study(
        tmp_path,
        study_spec(n_trials=5),
        on_trial=lambda record: numbers.append(record.number),
        on_epoch=lambda trial, epoch: epochs.append((trial.number, epoch.epoch)),
    )
    assert numbers == [0, 1, 2, *range(5)]
    assert epochs == [(number, epoch) for number in (3, 4) for epoch in range(N_EPOCHS)]


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (math.nan, "the score after 3 epochs is not a number"),
        (math.inf, "the score after 3 epochs is infinite"),
        pytest.param(-math.inf, "the score after 3 epochs is infinite", marks=pytest.mark.long),
        (None, "diverged after 3 epochs: the loss was not a finite number"),
    ],
)
def test_a_score_that_is_not_finite_fails_its_trial_and_not_the_study(
    tmp_path: Path, score: float | None, reason: str
) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/2"):
            return fit_result(score, epochs_up_to(0.5), "diverged" if score is None else "epochs")
        return FakeFit()(job, report)

    result = study(tmp_path, work=fit)
    assert [record.number for record in result.records if record.state == "failed"] == [2]
    assert result.records[2].score is None
    assert result.records[2].reason == reason
    assert len(result.records) == 12
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}").trials[2]
    assert (stored.state, stored.value) == (optuna.trial.TrialState.FAIL, None)


def test_a_failed_trial_counts_and_is_not_fitted_again(tmp_path: Path) -> None:
    fitted: list[str] = []

    def fit(job: FitJob, report: Report) -> FitResult:
        fitted.append(job.key)
        if job.key.endswith("/1"):
            return fit_result(None, epochs_up_to(0.5)[:1], "diverged")
        return FakeFit()(job, report)

    study(tmp_path, study_spec(n_trials=3), work=fit)
    result = study(tmp_path, study_spec(n_trials=4), work=fit)
    assert result.records[1].reason == "diverged after 1 epoch: the loss was not a finite number"
    assert len(fitted) == len(set(fitted)) == 4


def test_a_study_without_a_complete_trial_gives_the_reason(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        return fit_result(None, epochs_up_to(0.5)[:1], "diverged")

    with pytest.raises(PartialError, match=r"no trial is complete.*diverged after 1 epoch: "):
        study(tmp_path, study_spec(n_trials=2), work=fit)
    assert not (tmp_path / "results").exists()


def test_pruned_trials_count_and_have_no_score(tmp_path: Path) -> None:
    spec = study_spec(pruner={"kind": "median", "n_startup_trials": 3}, n_trials=20)
    result = study(tmp_path, spec)
    pruned = [record for record in result.records if record.state == "pruned"]
    assert pruned
    assert all(record.score is None and record.result and len(record.result.epochs) < N_EPOCHS for record in pruned)
    assert [record.number for record in result.records] == list(range(20))


def test_a_resumed_study_prunes_as_one_that_was_not_interrupted(tmp_path: Path) -> None:
    spec = {"pruner": "successive_halving", "seed": 3}
    for n_trials in (4, 9, 15):
        resumed = study(tmp_path / "a", study_spec(**spec, n_trials=n_trials))
    assert outcome_of(resumed) == outcome_of(study(tmp_path / "b", study_spec(**spec, n_trials=15)))


def test_an_interrupted_study_can_be_resumed(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/4"):
            raise KeyboardInterrupt
        return FakeFit()(job, report)

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "a", work=fit)
    assert outcome_of(study(tmp_path / "a")) == outcome_of(study(tmp_path / "b"))


def test_a_pending_trial_beyond_a_lowered_n_trials_is_left_as_it_is(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/4"):
            raise KeyboardInterrupt
        return FakeFit()(job, report)

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, work=fit)
    assert len(study(tmp_path, study_spec(n_trials=2)).records) == 2
    assert [record.number for record in study(tmp_path, study_spec(n_trials=5)).records] == list(range(5))


@pytest.mark.parametrize(
    ("changes", "arguments", "warning"),
    [
        ({"seed": 8}, {}, "seed: 7 -> 8"),
        ({"sampler": "random"}, {}, 'sampler.kind: "tpe" -> "random"'),
        ({"metric": "balanced_accuracy"}, {}, 'metric: "accuracy" -> "balanced_accuracy"'),
        ({"pruner": "median"}, {}, 'pruner.kind: absent -> "median"'),
        ({"space": {"kind": "choices", "rates": [0.0, 1e-5]}}, {}, "space.rates: "),
        ({"enqueue": ["baseline"]}, {}, 'enqueue: [] -> ["baseline"]'),
        ({}, {"environment": ENVIRONMENT.model_copy(update={"precision": "bf16"})}, 'precision: "fp32" -> "bf16"'),
        ({}, {"sample": SampleIdentity(name="films", digest="6b" * 32)}, "sample: "),
        (
            {},
            {"encoder": EncoderIdentity(name="tiny", identity="random:1", n_layers=N_LAYERS)},
            'encoder: "random:0" -> "random:1"',
        ),
    ],
)
def test_another_identity_has_another_database_and_a_warning_names_the_change(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, object],
    arguments: dict[str, str],
    warning: str,
) -> None:
    first = study(tmp_path, study_spec(n_trials=1))
    before = Path(first.database).read_bytes()
    with caplog.at_level(logging.WARNING):
        second = study(tmp_path, study_spec(**{"n_trials": 1, **changes}), **arguments)
    assert second.database != first.database
    assert Path(first.database).read_bytes() == before
    assert Path(first.database).name in caplog.text
    assert warning in caplog.text


def test_each_trial_keeps_the_environment_of_its_last_attempt(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/2"):
            raise KeyboardInterrupt
        return FakeFit()(job, report)

    elsewhere = ENVIRONMENT.model_copy(update={"device": "cuda:0", "git_commit": "b2" * 20})
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, study_spec(n_trials=4), work=fit)
    (database,) = (tmp_path / "studies").glob("*.db")
    begun = optuna.load_study(study_name="small", storage=f"sqlite:///{database}").trials[2]
    assert begun.user_attrs["attempts"]["environment"] == ENVIRONMENT.as_json()
    result = study(tmp_path, study_spec(n_trials=4), environment=elsewhere)
    assert [record.environment for record in result.records] == [ENVIRONMENT] * 2 + [elsewhere] * 2
    document = read_study(tmp_path / "results/study/small")
    assert [(share.environment, share.n_fits) for share in document.environments] == [(ENVIRONMENT, 2), (elsewhere, 2)]


def test_a_finished_study_that_is_run_again_after_a_commit_keeps_its_files(tmp_path: Path) -> None:
    study(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "results/study/small").iterdir()}
    study(tmp_path, environment=ENVIRONMENT.model_copy(update={"git_commit": "b2" * 20, "versions": {"torch": "3"}}))
    assert {path.name: path.read_bytes() for path in (tmp_path / "results/study/small").iterdir()} == before


def test_a_first_study_and_a_resumed_one_give_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for n_trials in (1, 2):
        study(tmp_path, study_spec(n_trials=n_trials))
    assert "Changed" not in caplog.text


def test_a_study_whose_database_is_gone_begins_anew_and_says_what_its_results_had(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Path(study(tmp_path, study_spec(n_trials=3)).database)
    study(tmp_path, study_spec(n_trials=3))
    assert not caplog.messages
    database.unlink()
    study(tmp_path, study_spec(n_trials=3))
    (warning,) = caplog.messages
    assert str(database) in warning
    assert "trials.jsonl has 3 trials of this study: it begins anew" in warning


def test_other_results_beside_a_new_study_are_no_lost_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Path(study(tmp_path, study_spec(n_trials=2)).database).unlink()
    study(tmp_path, study_spec(n_trials=2, seed=8))
    assert not caplog.messages
