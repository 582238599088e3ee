"""A fit runner fuses jobs that differ in rates only, and a study with fused trials finds the same scores."""

import functools
import json

import pytest

from finetune_alf.compute import Compute
from finetune_alf.compute.environment import environment_of
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.source_spec import MiniSource
from finetune_alf.data.spec import SampleSpec
from finetune_alf.documents import EncoderIdentity, SampleIdentity
from finetune_alf.execute import FusedExecutor, SerialExecutor
from finetune_alf.jobs import fused_jobs
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.json_files import read_json
from finetune_alf.paths import Paths
from finetune_alf.rates import LayerRates
from finetune_alf.study.coordinator import run_study
from finetune_alf.study.spec import StudySpec
from tiny import N_LAYERS, tiny_recipe, tiny_spec

HIGH = LayerRates.of(1e-2, [1e-2] * N_LAYERS, 1e-2)
TOP = LayerRates.of(0.0, [0.0, 0.0, 1e-2], 1e-2)
TOO_DEEP = LayerRates.of(1e-2, [1e-2] * 9, 1e-2)
SPEC = SampleSpec(
    source=MiniSource(kind="mini", domain="films"),
    n_train=16,
    n_validation=16,
    n_confirmation=16,
    n_test=40,
    max_train_frac=0.2,
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples") / "films"
    return prepare_sample("films", SPEC, folder), folder


@pytest.fixture(scope="module")
def fit_runner(sample):
    card, folder = sample
    return FitRunner({card.digest: folder}, Compute("cpu", "fp32", n_threads=1))


@pytest.fixture
def groups(monkeypatch):
    """Note how many fits each call of fit_fused was given."""
    sizes, fit_fused = [], fused_jobs.fit_fused

    def note(encoder, splits, recipes, *others, **named):
        sizes.append(len(recipes))
        return fit_fused(encoder, splits, recipes, *others, **named)

    monkeypatch.setattr(fused_jobs, "fit_fused", note)
    return sizes


def job_of(sample, key, rates=HIGH, seed=1, **changes):
    return FitJob(key, tiny_recipe(epochs=2, **changes).with_rates(rates), tiny_spec(), sample[0].digest, seed, "fp32")


def assert_same(one, other):
    for field in ("stopped", "kept_epoch", "n_steps", "n_trainable_parameters", "predictions"):
        assert getattr(one, field) == getattr(other, field)
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)


def losses(result):
    return [epoch.train_loss for epoch in result.epochs]


def test_jobs_that_differ_in_rates_only_are_fused_and_the_others_run_alone(sample, fit_runner, groups):
    make = functools.partial(job_of, sample)
    jobs = [make("a"), make("b", seed=2), make("c", TOP), make("d", batch=8), make("e", TOP, seed=2), make("f", TOP)]
    reported = []
    outcomes = list(fit_runner.run_fused(jobs, lambda job, metrics: reported.append((job.key, metrics.epoch)) or True))
    assert groups == [3, 2]
    assert [outcome.job.key for outcome in outcomes] == ["a", "c", "f", "b", "e", "d"]
    assert sorted(reported) == [(key, epoch) for key in "abcdef" for epoch in (0, 1)]
    for outcome in outcomes:
        assert outcome.failure is None
        assert_same(outcome.result, fit_runner(outcome.job, lambda metrics: True))


def test_rates_that_do_not_fit_fail_alone(sample, fit_runner, groups):
    jobs = [job_of(sample, "a"), job_of(sample, "b", TOO_DEEP), job_of(sample, "c", TOP)]
    outcomes = {outcome.job.key: outcome for outcome in fit_runner.run_fused(jobs, lambda job, metrics: True)}
    assert groups == [2]
    assert "but got 9" in outcomes["b"].failure
    assert outcomes["a"].result.stopped == outcomes["c"].result.stopped == "epochs"


def test_a_report_that_returns_false_stops_that_member_only(sample, fit_runner):
    jobs = [job_of(sample, "a"), job_of(sample, "b", TOP)]
    outcomes = fit_runner.run_fused(jobs, lambda job, metrics: job.key == "a")
    assert {outcome.job.key: outcome.result.stopped for outcome in outcomes} == {"a": "epochs", "b": "pruned"}


STUDY = {
    "encoder": "tiny",
    "sample": "films",
    "space": {"kind": "choices", "rates": [0, 1e-3, 1e-2]},
    "sampler": {"kind": "random"},
    "enqueue": ["baseline"],
    "seed": 3,
    "recipe": tiny_recipe(epochs=2).model_dump(mode="json"),
    "n_trials": 5,
}


def study_of(root, sample, fit_runner, executor):
    result = run_study(
        "tiny",
        StudySpec.model_validate_json(json.dumps(STUDY)),
        sample=SampleIdentity(name="films", digest=sample[0].digest),
        encoder=EncoderIdentity(name="tiny", identity="tiny", n_layers=N_LAYERS),
        encoder_spec=tiny_spec(),
        executor=executor,
        environment=environment_of(fit_runner.compute, None),
        work=fit_runner,
        paths=Paths(root),
    )
    return result.records, read_json(Paths(root).study_results("tiny") / "study.json")


def test_a_study_with_fused_trials_has_the_results_of_one_without(sample, fit_runner, groups, tmp_path):
    fused, about = study_of(tmp_path / "fused", sample, fit_runner, FusedExecutor(3))
    serial, about_serial = study_of(tmp_path / "serial", sample, fit_runner, SerialExecutor())
    assert groups == [3, 2]
    assert [(one.number, one.rates, one.score) for one in fused] == [
        (two.number, two.rates, two.score) for two in serial
    ]
    assert (about["n_workers"], about["n_fused"]) == (1, 3)
    assert about_serial["n_fused"] == 1
