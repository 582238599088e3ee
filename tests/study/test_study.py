"""A study from its first trial to its results, again and on, and what stops it."""

import logging
import math
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from planted import (
    N_EPOCHS,
    N_LAYERS,
    LightPool,
    Planted,
    epochs_up_to,
    fit_result,
    outcome_of,
    score_of,
    study,
    study_spec,
)

from finetune_alf.errors import InputError, PartialError
from finetune_alf.files import read_json
from finetune_alf.rates import HEAD, DecayedRates, LayerRates
from finetune_alf.seeds import child_seed
from finetune_alf.study.records import read_records
from finetune_alf.train.job import FitJob
from finetune_alf.train.result import EpochMetrics, FitResult

Report = Callable[[EpochMetrics], bool]


def test_a_study_has_exactly_its_trials_and_its_best_is_the_best(tmp_path: Path) -> None:
    result = study(tmp_path)
    assert [record.number for record in result.records] == list(range(12))
    assert result.best.score == max(record.score or 0 for record in result.records)
    assert all(record.score == score_of(record.layer_rates) for record in result.records)


def test_every_trial_has_the_recipes_head_rate_and_one_fit_seed(tmp_path: Path) -> None:
    jobs: list[FitJob] = []

    def fit(job: FitJob, report: Report) -> FitResult:
        jobs.append(job)
        return Planted()(job, report)

    study(tmp_path, work=fit)
    assert {job.seed for job in jobs} == {child_seed(7, "fit")}
    assert {job.recipe.rates.at(N_LAYERS)[HEAD] for job in jobs} == {1e-3}
    assert {(job.sample, job.score_on, job.metric) for job in jobs} == {("5a" * 32, "validation", "accuracy")}
    assert len({job.key for job in jobs}) == len(jobs)


def test_two_studies_of_one_seed_are_equal_and_of_another_differ(tmp_path: Path) -> None:
    first = outcome_of(study(tmp_path / "a"))
    assert first == outcome_of(study(tmp_path / "b"))
    assert first != outcome_of(study(tmp_path / "c", study_spec(seed=8)))


def test_raising_n_trials_goes_on_where_the_study_stopped(tmp_path: Path) -> None:
    first = study(tmp_path / "a", study_spec(n_trials=5))
    on = study(tmp_path / "a", study_spec(n_trials=12))
    assert on.records[:5] == first.records
    assert on.database == first.database
    assert outcome_of(on) == outcome_of(study(tmp_path / "b", study_spec(n_trials=12)))


@pytest.mark.parametrize("n_trials", [6, 4, 1])
def test_a_study_that_has_enough_trials_runs_nothing_and_leaves_its_results_as_they_are(
    tmp_path: Path, n_trials: int
) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        raise AssertionError("fitted again")

    first = study(tmp_path, study_spec(n_trials=6))
    before = {path.name: path.read_bytes() for path in (tmp_path / "results/study/small").iterdir()}
    again = study(tmp_path, study_spec(n_trials=n_trials), work=fit)
    assert again.records == first.records
    after = {path.name: path.read_bytes() for path in (tmp_path / "results/study/small").iterdir()}
    assert {name for name in before if before[name] != after[name]} <= ({"study.json"} if n_trials < 6 else set())


def test_enqueued_vectors_come_first(tmp_path: Path) -> None:
    result = study(tmp_path, study_spec(enqueue=["baseline", "decayed"], n_trials=3))
    assert result.records[0].layer_rates == LayerRates.of(5e-5, [5e-5] * N_LAYERS, 1e-3)
    assert result.records[1].layer_rates == DecayedRates(rate=5e-5, decay=0.95, head=1e-3).at(N_LAYERS)


def test_an_enqueued_vector_off_the_grid_keeps_its_rates_and_stays_out_of_the_parameters(tmp_path: Path) -> None:
    result = study(tmp_path, study_spec(enqueue=["baseline", "decayed"], n_trials=3))
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}").trials
    assert stored[0].params == dict.fromkeys(stored[2].params, 5e-5)
    assert stored[1].params == {}
    assert stored[1].user_attrs["rates"]["layer.0"] == pytest.approx(5e-5 * 0.95**2)


def test_tied_blocks_move_together_in_every_trial(tmp_path: Path) -> None:
    space = {"kind": "log", "low": 1e-8, "high": 1e-4, "blocks": [["embeddings", "layer.0", "layer.1"]]}
    for record in study(tmp_path, study_spec(space=space)).records:
        assert record.rates["embeddings"] == record.rates["layer.0"] == record.rates["layer.1"]
        assert record.rates["layer.2"] != record.rates["layer.1"]


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_pool_finds_the_same_trials_as_one_worker(tmp_path: Path, sampler: str) -> None:
    spec = study_spec(sampler=sampler, n_trials=5)
    assert outcome_of(study(tmp_path / "a", spec, executor=LightPool(2))) == outcome_of(study(tmp_path / "b", spec))


def test_the_results_are_handed_on_as_files(tmp_path: Path) -> None:
    result = study(tmp_path)
    folder = tmp_path / "results/study/small"
    assert read_records(folder / "trials.jsonl") == list(result.records)
    best = read_json(folder / "best.json")
    assert best == {"number": result.best.number, "score": result.best.score, "rates": result.best.rates}
    about = read_json(folder / "study.json")
    assert about["encoder"] == {"name": "tiny", "identity": "random:0", "n_layers": N_LAYERS}
    assert about["sample"] == {"name": "films", "digest": "5a" * 32}
    assert (about["n_trials"], about["n_workers"], about["seed"]) == (12, 1, 7)
    assert result.database.stem == f"small-{about['digest'][:8]}"
    assert about["versions"]["optuna"] == optuna.__version__
    assert about["seconds"] == result.seconds


@pytest.mark.parametrize(
    ("line", "reason"), [("{", "must be JSON"), ('{"number": 1}', "must be a trial, but got Field required")]
)
def test_a_broken_line_of_the_results_is_named(tmp_path: Path, line: str, reason: str) -> None:
    study(tmp_path, study_spec(n_trials=2))
    path = tmp_path / "results/study/small/trials.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InputError, match=rf"trials\.jsonl:3: {reason}"):
        read_records(path)


def test_callers_hear_of_every_finished_trial_at_the_start_and_of_each_new_one(tmp_path: Path) -> None:
    heard: list[int] = []
    epochs: list[tuple[int, int]] = []
    study(tmp_path, study_spec(n_trials=3), on_trial=lambda record: heard.append(record.number))
    study(
        tmp_path,
        study_spec(n_trials=5),
        on_trial=lambda record: heard.append(record.number),
        on_epoch=lambda number, epoch: epochs.append((number, epoch.epoch)),
    )
    assert heard == [0, 1, 2, *range(5)]
    assert epochs == [(number, epoch) for number in (3, 4) for epoch in range(N_EPOCHS)]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, None])
def test_a_score_that_is_no_number_fails_its_trial_and_not_the_study(tmp_path: Path, score: float | None) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/2"):
            result = fit_result(None, epochs_up_to(0.5)[:1], "diverged")
            return result.model_copy(update={"score": score})
        return Planted()(job, report)

    result = study(tmp_path, work=fit)
    assert [record.number for record in result.records if record.state == "failed"] == [2]
    assert result.records[2].score is None
    assert result.records[2].reason is not None
    assert "diverged after 1 epochs" in result.records[2].reason
    assert len(result.records) == 12
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{result.database}").trials[2]
    assert (stored.state, stored.value) == (optuna.trial.TrialState.FAIL, None)


def test_a_failed_trial_counts_and_is_not_tried_again(tmp_path: Path) -> None:
    fitted: list[str] = []

    def fit(job: FitJob, report: Report) -> FitResult:
        fitted.append(job.key)
        if job.key.endswith("/1"):
            raise MemoryError("no room")
        return Planted()(job, report)

    study(tmp_path, study_spec(n_trials=3), work=fit)
    result = study(tmp_path, study_spec(n_trials=4), work=fit)
    assert result.records[1].reason == "MemoryError: no room"
    assert len(fitted) == len(set(fitted)) == 4


def test_failure_upon_failure_stops_the_study_with_the_common_cause(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if int(job.key.rpartition("/")[2]) > 1:
            raise MemoryError("no room")
        return Planted()(job, report)

    with pytest.raises(PartialError, match=r"more than 5 times in a row.*6 without a score, 6 .*MemoryError: no room"):
        study(tmp_path, work=fit)
    assert len(study(tmp_path).records) == 12  # the cause gone, it goes on


def test_a_study_without_one_good_trial_says_why(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        raise MemoryError("no room")

    with pytest.raises(PartialError, match=r"must have a trial that ends well.*MemoryError: no room"):
        study(tmp_path, study_spec(n_trials=2), work=fit)
    assert not (tmp_path / "results").exists()


def test_pruned_trials_count_but_teach_the_sampler_nothing(tmp_path: Path) -> None:
    spec = study_spec(pruner={"kind": "median", "n_startup": 3}, n_trials=20)
    result = study(tmp_path, spec)
    pruned = [record for record in result.records if record.state == "pruned"]
    assert pruned
    assert all(record.score is None and record.result and len(record.result.epochs) < N_EPOCHS for record in pruned)
    assert [record.number for record in result.records] == list(range(20))


def test_a_pruning_study_goes_on_after_a_stop_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    spec = {"pruner": "successive_halving", "seed": 3}
    for n_trials in (4, 9, 15):
        stopped = study(tmp_path / "a", study_spec(**spec, n_trials=n_trials))
    assert outcome_of(stopped) == outcome_of(study(tmp_path / "b", study_spec(**spec, n_trials=15)))


def test_an_interrupt_leaves_a_study_that_goes_on(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/4"):
            raise KeyboardInterrupt
        return Planted()(job, report)

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "a", work=fit)
    assert outcome_of(study(tmp_path / "a")) == outcome_of(study(tmp_path / "b"))


def test_trials_begun_before_a_stop_are_finished_even_if_fewer_are_wanted_now(tmp_path: Path) -> None:
    def fit(job: FitJob, report: Report) -> FitResult:
        if job.key.endswith("/4"):
            raise KeyboardInterrupt
        return Planted()(job, report)

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, work=fit)
    assert len(study(tmp_path, study_spec(n_trials=2)).records) == 5


@pytest.mark.parametrize(
    ("changes", "subject", "told"),
    [
        ({"seed": 8}, {}, "seed: 7 -> 8"),
        ({"sampler": "random"}, {}, 'sampler.kind: "tpe" -> "random"'),
        ({"metric": "balanced_accuracy"}, {}, 'metric: "accuracy" -> "balanced_accuracy"'),
        ({"pruner": "median"}, {}, 'pruner.kind: absent -> "median"'),
        ({"space": {"kind": "choices", "rates": [0.0, 1e-5]}}, {}, "space.rates: "),
        ({"enqueue": ["baseline"]}, {}, 'enqueue: [] -> ["baseline"]'),
        ({}, {"sample_digest": "6b" * 32}, "sample: "),
        ({}, {"encoder_identity": "random:1"}, 'encoder: "random:0" -> "random:1"'),
    ],
)
def test_another_question_is_another_database_and_the_change_is_told(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, object],
    subject: dict[str, str],
    told: str,
) -> None:
    first = study(tmp_path, study_spec(n_trials=1))
    before = first.database.read_bytes()
    with caplog.at_level(logging.WARNING):
        second = study(tmp_path, study_spec(**{"n_trials": 1, **changes}), **subject)
    assert second.database != first.database
    assert first.database.read_bytes() == before
    assert first.database.name in caplog.text
    assert told in caplog.text


def test_the_first_study_of_a_name_and_one_that_goes_on_tell_of_no_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for n_trials in (1, 2):
        study(tmp_path, study_spec(n_trials=n_trials))
    assert "Changed" not in caplog.text
