"""What a running study keeps of its finished trials: compressed JSON, from which the same records are made again."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_studies import N_LAYERS, RATES, FakeFit, epochs_up_to, study, study_spec
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from fake_results import fake_result, fake_trial
from finetune_alf.jobs.job import FitJob
from finetune_alf.rates import LayerRates
from finetune_alf.study.history import TrialHistory
from finetune_alf.study.packed_trials import PackedTrials
from finetune_alf.study.records import TrialRecord, parse_trial
from finetune_alf.study.sampler import Observation, StudySampler
from finetune_alf.study.space import ChoicesSpace
from finetune_alf.study.spec import TpeSampler
from finetune_alf.study.trial_attempts import TrialAttempts
from finetune_alf.train.result import EpochMetrics, FitResult

MAX_BYTES = 4_000
"""Of a trial, in a study of 12 layers with 400 predictions and 4 epochs."""

SPACE = ChoicesSpace(rates=RATES)


def trial(number: int, n_layers: int = N_LAYERS, n_texts: int = 4) -> TrialRecord:
    """Return a complete trial with a result, and rates of its own."""
    score = 0.5 + number / 1000
    result = fake_result(
        epochs=epochs_up_to(score, 4),
        score=score,
        accuracy=score,
        predictions=tuple((number * text) % 3 % 2 for text in range(n_texts)),
        movement={f"layer.{index}": number * 1e-4 / (index + 1) for index in range(n_layers)},
    )
    rates = LayerRates.of(1e-5 * number / 7, [1e-6 * number / (index + 3) for index in range(n_layers)], 1e-3)
    record = fake_trial(number, rates, score).model_copy(update={"result": result})
    return parse_trial(record.model_dump(mode="json"))  # with objects of its own, as it is read from a database


def test_records_are_read_as_they_were_added_in_the_order_of_their_numbers() -> None:
    records = [trial(number) for number in range(6)] + [fake_trial(6, trial(6).rates, None)]
    packed = PackedTrials(records[number] for number in (3, 0, 6, 1, 5, 4))
    packed.add(records[2])
    assert list(packed) == records
    assert [packed[0], packed[-1]] == [records[0], records[6]]
    assert packed[1:3] == tuple(records[1:3])
    assert packed.of_number(4) == records[4]
    assert len(packed) == 7


def test_a_trial_that_is_added_again_replaces_the_one_with_its_number() -> None:
    packed = PackedTrials([trial(0), trial(1)])
    packed.add(trial(0).model_copy(update={"score": 0.25}))
    assert [record.score for record in packed] == [0.25, 0.501]


def test_trials_are_equal_to_the_same_records_and_to_no_others() -> None:
    records = [trial(0), trial(1)]
    assert PackedTrials(records) == PackedTrials(reversed(records)) == records
    assert PackedTrials(records) != records[:1]
    assert PackedTrials(records) != PackedTrials([records[0], trial(2)])


def test_a_number_without_a_trial_is_a_key_error() -> None:
    packed = PackedTrials([trial(1)])
    assert packed.of_number(1) == trial(1)
    with pytest.raises(KeyError):
        packed.of_number(0)


def test_a_history_holds_no_object_of_a_record_it_was_given() -> None:
    history = TrialHistory((trial(number) for number in range(5)), [], 1, SPACE)
    assert history.records.of_number(2) is not history.records.of_number(2)
    assert history.records.of_number(2) == trial(2)


def test_a_trial_sees_the_observations_up_to_its_lag_in_the_order_of_their_numbers() -> None:
    rates = [LayerRates.of(0, [RATES[number]] * N_LAYERS, 1e-4) for number in range(5)]
    complete = [fake_trial(number, rates[number], number / 10) for number in (3, 0, 2, 4)]
    history = TrialHistory([*complete, fake_trial(1, rates[1], None)], [], 2, SPACE)
    seen = history.observations_seen_by(5)
    assert seen == [Observation(SPACE.params_of(rates[number]) or {}, number / 10) for number in (0, 2, 3)]
    assert history.observations_seen_by(1) == []


def test_suggestions_after_many_trials_share_one_set_of_distributions() -> None:
    space = SPACE
    sampler = StudySampler(TpeSampler(n_startup_trials=2), space, N_LAYERS, seed=1)
    observations = [
        Observation({name: space.value_at(name, number / 9) for name in space.param_addresses(N_LAYERS)}, number / 10)
        for number in range(8)
    ]
    for number in range(9):
        sampler.suggest(number, observations[:number])
    trials = sampler._study.get_trials(deepcopy=False)
    observed = [one for one in trials if one.state.is_finished()]
    assert len({id(one.distributions) for one in observed}) == 1
    assert all(one.params is own.params for one, own in zip(observed, observations, strict=True))
    assert [len(one.params) for one in trials if not one.state.is_finished()][:-1] == [0] * 8


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_a_finished_trial_takes_little_memory(traced: None) -> None:
    n_trials = 50
    history = TrialHistory((trial(number, 12, 400) for number in range(10)), [], 1, SPACE)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10, 10 + n_trials):
        history.finish(trial(number, 12, 400))
    assert (tracemalloc.get_traced_memory()[0] - before) / n_trials < MAX_BYTES


def test_a_job_of_a_finished_trial_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[TrialAttempts] = []
    jobs: list[FitJob] = []

    def attempts_of(*args: Any) -> TrialAttempts:
        made.append(TrialAttempts(*args))
        return made[0]

    def fit(job: FitJob, report: Callable[[EpochMetrics], bool]) -> FitResult:
        jobs.append(job)
        return FakeFit()(job, report)

    monkeypatch.setattr("finetune_alf.study.coordinator.TrialAttempts", attempts_of)
    study(tmp_path, study_spec(n_trials=3), fit)
    assert len(jobs) == 3
    for job in jobs:
        with pytest.raises(KeyError):
            made[0].trial(job)


def test_a_study_reads_finished_trials_from_its_database_at_the_start_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    read = RDBStorage.get_all_trials

    def get_all_trials(storage: RDBStorage, study_id: int, deepcopy: bool = True, states: Any = None) -> Any:
        if states is None or TrialState.COMPLETE in states:
            asked.append(states)
        return read(storage, study_id, deepcopy, states)

    monkeypatch.setattr(RDBStorage, "get_all_trials", get_all_trials)
    study(tmp_path, study_spec(n_trials=4))
    assert len(asked) == 1


def test_a_start_reads_each_finished_trial_once_before_its_first_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(tmp_path, study_spec(n_trials=6))
    read: list[object] = []
    at_first_fit: list[int] = []
    validate = TrialRecord.model_validate_json.__func__  # type: ignore[attr-defined]

    def model_validate_json(cls: type[TrialRecord], data: Any) -> TrialRecord:
        read.append(data)
        record: TrialRecord = validate(cls, data)
        return record

    def fit(job: FitJob, report: Callable[[EpochMetrics], bool]) -> FitResult:
        at_first_fit.append(len(read))
        return FakeFit()(job, report)

    monkeypatch.setattr(TrialRecord, "model_validate_json", classmethod(model_validate_json))
    study(tmp_path, study_spec(n_trials=7), fit)
    assert at_first_fit == [6]
