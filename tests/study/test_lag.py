"""Any number of workers up to the lag finds the same trials, in whatever order their fits end."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fake_fits import WorkerKillingFit
from fake_studies import FakeFit, LightPool, fit_result, study, study_spec
from shuffled import ShuffledExecutor
from test_pruned_search import LockstepFits

from finetune_alf.checksums import canonical_json
from finetune_alf.errors import PartialError
from finetune_alf.execute import Executor, FusedExecutor, SerialExecutor
from finetune_alf.identity import identity_of
from finetune_alf.study.coordinator import StudyResult
from finetune_alf.study.spec import RandomSampler, StudySpec, TpeSampler

FEW_RATES = {"kind": "choices", "rates": [0.0, 5e-6, 5e-5], "blocks": [["embeddings", "layer.0"]]}
"""A space so small that trials repeat each other."""


def tpe(lag: int, **changes: Any) -> StudySpec:
    sampler = {"kind": "tpe", "n_startup_trials": 3, "lag": lag}
    return study_spec(**{"sampler": sampler, "n_trials": 10, "enqueue": ["baseline", "decayed"], **changes})


def digest(result: StudyResult, spec: StudySpec) -> str:
    """Return the sha-256 over all that a study finds: rates, values, repeats, and what is trained with them."""
    trials = [
        [
            record.number,
            record.state,
            record.score,
            record.repeats,
            identity_of({"recipe": spec.recipe.with_rates(record.rates)}),
        ]
        for record in result.records
    ]
    return hashlib.sha256(canonical_json(trials).encode()).hexdigest()


def digest_by(root: Path, spec: StudySpec, executor: Executor) -> str:
    return digest(study(root, spec, executor=executor), spec)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lag")


SPECS = {
    "tpe": tpe(4, space=FEW_RATES),
    "tpe, halving": tpe(4, pruner="successive_halving"),
    "random, median": tpe(1, sampler={"kind": "random", "lag": 4}, pruner={"kind": "median", "n_startup_trials": 2}),
    "random": tpe(1, sampler="random", space=FEW_RATES),
    "qmc": tpe(1, sampler="qmc", space=FEW_RATES),
}


@pytest.fixture(scope="module")
def by_one_worker(root: Path) -> dict[str, str]:
    return {name: digest_by(root / f"one-{n}", spec, SerialExecutor()) for n, (name, spec) in enumerate(SPECS.items())}


@pytest.mark.parametrize(
    ("name", "n_workers"),
    [
        ("tpe", 4),
        ("tpe, halving", 4),
        ("qmc", 4),
        *(pytest.param(*each, marks=pytest.mark.long) for each in [("tpe", 2), ("random, median", 4), ("random", 4)]),
    ],
)
def test_trials_are_those_of_one_worker_in_whatever_order_fits_end(
    name: str, n_workers: int, by_one_worker: dict[str, str], tmp_path: Path
) -> None:
    executor = ShuffledExecutor(n_workers, seed=n_workers, deaths=(5, 6))
    assert digest_by(tmp_path, SPECS[name], executor) == by_one_worker[name]
    assert executor.most_at_once == n_workers


@pytest.mark.parametrize("stops", [(5, 9), (14,)])
def test_a_study_that_is_stopped_and_taken_up_by_other_workers_finds_the_same_trials(
    stops: tuple[int, ...], by_one_worker: dict[str, str], tmp_path: Path
) -> None:
    for n_workers, n_epochs in enumerate(stops, start=3):
        with pytest.raises(KeyboardInterrupt):
            study(tmp_path, SPECS["tpe"], executor=ShuffledExecutor(n_workers, n_epochs, n_epochs=n_epochs))
    assert digest_by(tmp_path, SPECS["tpe"], ShuffledExecutor(2, seed=0)) == by_one_worker["tpe"]


@pytest.mark.parametrize("n_workers", [4, pytest.param(2, marks=pytest.mark.long)])
def test_a_pool_whose_workers_are_killed_finds_the_same_trials(
    n_workers: int, by_one_worker: dict[str, str], tmp_path: Path
) -> None:
    """A fake fit kills its own worker up to twice, by its number."""
    kills = tmp_path / "kills"
    kills.mkdir()
    spec = SPECS["tpe"]
    result = study(tmp_path, spec, WorkerKillingFit(kills), LightPool(n_workers))
    assert digest(result, spec) == by_one_worker["tpe"]
    fitted = [record.number for record in result.records if record.repeats is None]
    assert len(list(kills.iterdir())) == sum(number % 3 for number in fitted)


def test_with_another_lag_the_trials_are_others_after_the_random_ones(root: Path) -> None:
    one, two = (study(root / f"lag-{lag}", tpe(lag)).records for lag in (1, 2))
    assert [record.rates for record in one[:3]] == [record.rates for record in two[:3]]
    assert [record.rates for record in one] != [record.rates for record in two]


def test_fused_trials_are_those_of_one_worker_and_no_more_are_fused_than_the_lag(
    tmp_path: Path, by_one_worker: dict[str, str]
) -> None:
    groups: list[list[int]] = []

    class Noted(LockstepFits):
        def run_fused(self, jobs: Any, report: Any) -> Any:
            groups.append([int(job.key.rpartition("/")[2]) for job in jobs])
            yield from super().run_fused(jobs, report)

    name = "tpe, halving"
    result = study(tmp_path, SPECS[name], Noted(), FusedExecutor(6))
    assert digest(result, SPECS[name]) == by_one_worker[name]
    assert max(map(len, groups)) == 4


@pytest.mark.parametrize(
    ("spec", "n_workers", "is_warned"),
    [
        (tpe(2, n_trials=1), 4, True),
        (tpe(2, n_trials=1), 2, False),
        (study_spec(sampler="random", n_trials=1), 4, False),
        (study_spec(sampler="random", pruner="median", n_trials=1), 4, True),
    ],
)
def test_workers_beyond_the_lag_are_idle_and_a_warning_names_the_way_out(
    spec: StudySpec, n_workers: int, is_warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = ShuffledExecutor(n_workers, seed=0)
    with caplog.at_level(logging.WARNING):
        study(tmp_path, spec, executor=executor)
    assert caplog.text.count("Set studies.small.sampler.lag to 4") == is_warned
    caplog.clear()
    study(tmp_path, spec, executor=executor)
    assert "sampler.lag" not in caplog.text  # there is nothing left to run


def test_a_trial_left_pending_is_seen_by_none_in_the_same_start(tmp_path: Path) -> None:
    """Its result comes in another start, so that the proposals after it do not wait."""

    def fit(job: Any, report: Any) -> Any:
        if job.key.endswith("/3"):
            raise MemoryError("no room")
        return FakeFit()(job, report)

    def diverging(job: Any, report: Any) -> Any:
        return fit_result(None, (), "diverged") if job.key.endswith("/3") else FakeFit()(job, report)

    with pytest.raises(PartialError, match="trial 3: MemoryError"):
        study(tmp_path / "a", tpe(2), fit)
    result = study(tmp_path / "a", tpe(2))
    others = study(tmp_path / "b", tpe(2), diverging)
    assert [r.rates for r in result.records] == [r.rates for r in others.records]


def test_the_default_lag_is_in_no_identity_and_another_one_is() -> None:
    assert "lag" not in json.dumps(identity_of({"sampler": TpeSampler()}))
    assert identity_of({"sampler": RandomSampler(lag=2)})["sampler"] == {"kind": "random", "lag": 2}
