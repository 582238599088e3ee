"""Whatever is committed can be read, recorded and passed over: a study whose settings are accepted comes to its end."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_studies import N_LAYERS, FakeFit, study, study_spec
from hypothesis import HealthCheck, example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from finetune_alf.compute import Compute
from finetune_alf.data.sample import Card, Sample
from finetune_alf.errors import PartialError
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.running.bench import Bench
from finetune_alf.running.study import run_of_trial
from finetune_alf.spec import MAX_RATE, MIN_RATE
from finetune_alf.study.records import TrialRecord
from finetune_alf.train.result import EpochMetrics, FitResult
from tiny import load_tiny, tiny_spec

POSITIVE = st.one_of(st.floats(MIN_RATE, MAX_RATE), st.sampled_from([1e-9, 2e-5, 1.0]))
RATE = st.one_of(st.just(0.0), POSITIVE, st.floats(0, MAX_RATE))
BLOCKS = st.sampled_from([None, "all", [["embeddings", "layer.0"]]])
CHOICES = st.fixed_dictionaries(
    {
        "kind": st.just("choices"),
        "rates": st.lists(RATE, min_size=2, max_size=4, unique=True).map(sorted),
        "blocks": BLOCKS,
    }
)
LOG = st.fixed_dictionaries({"kind": st.just("log"), "low": POSITIVE, "high": st.just(1.0), "blocks": BLOCKS})
DECAYED = st.fixed_dictionaries(
    {
        "kind": st.just("decayed"),
        "rate": st.one_of(CHOICES, LOG).map(lambda space: {**space, "blocks": None}),
        "decays": st.lists(st.floats(1e-300, 1), min_size=2, max_size=3, unique=True).map(sorted),
    }
)
HEAD = st.one_of(st.none(), RATE)
RATES = st.one_of(
    st.fixed_dictionaries({"kind": st.just("uniform"), "rate": RATE, "head": HEAD}),
    st.fixed_dictionaries({"kind": st.just("decayed"), "rate": RATE, "head": HEAD, "decay": st.floats(1e-300, 1)}),
    st.fixed_dictionaries({"kind": st.just("spread"), "low": POSITIVE, "high": POSITIVE, "head": HEAD}),
    st.fixed_dictionaries(
        {
            "kind": st.just("frozen_below"),
            "n_frozen": st.sampled_from([0, N_LAYERS, "all"]),
            "rate": RATE,
            "head": HEAD,
        }
    ),
    st.fixed_dictionaries(
        {"kind": st.just("listed"), "embeddings": RATE, "layers": st.lists(RATE, min_size=N_LAYERS, max_size=N_LAYERS)}
    ).flatmap(lambda rates: RATE.map(lambda head: {**rates, "head": head})),
)
RECIPES = st.fixed_dictionaries(
    {
        "rates": RATES,
        "epochs": st.just(3),
        "batch": st.just(8),
        "max_tokens": st.just(48),
        "allow_forgetting": st.just(True),
        "optimizer": st.sampled_from([{"kind": "adamw"}, {"kind": "sgd", "momentum": 0.9}]),
        "unfreezing": st.sampled_from([{"kind": "immediate"}, {"kind": "gradual", "start": "head"}]),
        "adapter": st.sampled_from([None, {"kind": "lora", "rank": 2}]),
    }
)
SPECS = st.fixed_dictionaries(
    {
        "space": st.one_of(CHOICES, LOG, DECAYED),
        "recipe": RECIPES,
        "sampler": st.sampled_from(["tpe", "random", "qmc"]),
        "pruner": st.sampled_from([None, "median", "successive_halving"]),
        "enqueue": st.sampled_from([[], ["baseline"], ["decayed", "baseline"]]),
        "n_trials": st.integers(1, 3),
        "seed": st.integers(0, 2**64),
    }
)


@pytest.fixture(scope="module")
def bench() -> Bench:
    empty: dict[str, Any] = {"source": {}, "revision": "", "label_names": ("a", "b"), "counts": {}, "drawn_from": {}}
    card = Card(name="films", **empty, n_source_rows=0, duplicates_dropped={}, seed=0, digest="5a" * 32)
    runner = FitRunner({}, Compute("cpu", "fp32"))
    return Bench(study_spec(), Sample("films", card, {}), tiny_spec(), load_tiny(), runner)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@example(
    fields={
        "space": {"kind": "choices", "rates": [0, 1e-300], "blocks": "all"},
        "recipe": {"rates": {"kind": "uniform", "rate": 1e-5, "head": 0}, "epochs": 3, "batch": 8, "max_tokens": 48},
        "n_trials": 4,
    },
    name="n" * 64,
)
@given(fields=SPECS, name=st.sampled_from(["small", "n" * 64]))
def test_a_study_that_is_accepted_runs_to_its_end_and_so_does_its_next_start(
    bench: Bench, fields: dict[str, Any], name: str
) -> None:
    try:
        spec = study_spec(**fields)
    except ValidationError:
        reject()
    own = replace(bench, study=spec)

    with tempfile.TemporaryDirectory() as folder:
        first, second = ended(Path(folder), own, name), ended(Path(folder), own, name)
    assert first == second == list(range(spec.n_trials))


def ended(folder: Path, bench: Bench, name: str) -> list[int]:
    """Run a study to its end, and return the trials that it recorded on the way."""
    recorded = []

    def on_trial(record: TrialRecord) -> None:
        run_of_trial("key", name, bench, record)
        recorded.append(record.number)

    with contextlib.suppress(PartialError):  # no trial is complete where nothing learns in any
        study(folder, bench.study, FakeFit(), on_trial=on_trial)
    return recorded


@pytest.mark.parametrize(
    "changes",
    [
        {"space": {"kind": "choices", "rates": [1e-5, 1.5]}},
        {"space": {"kind": "log", "low": 1e-5, "high": 1.5}},
        {"space": {"kind": "decayed", "rate": {"kind": "log", "low": 1e-5, "high": 1.5}, "decays": [0.9, 1.0]}},
        {"recipe": {"rates": {"kind": "uniform", "rate": 1.5}}},
        {"recipe": {"rates": {"kind": "spread", "low": 1e-5, "high": 1.5}}},
        {"recipe": {"rates": {"kind": "uniform", "rate": 1e-5, "head": 1.5}}},
        {"recipe": {"rates": {"kind": "listed", "embeddings": 0, "layers": [1e-5, 1.5, 0], "head": 1e-3}}},
    ],
)
def test_a_rate_above_one_is_refused_wherever_it_is_read(changes: dict[str, Any]) -> None:
    recipe = {"epochs": 3, "batch": 8, "max_tokens": 48, "allow_forgetting": True}
    recipe |= {"rates": {"kind": "uniform", "rate": 1e-5}, **changes.pop("recipe", {})}
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        study_spec(recipe=recipe, **changes)


@pytest.mark.parametrize(
    "recipe",
    [
        {"rates": {"kind": "uniform", "rate": 0}},
        {"rates": {"kind": "frozen_below", "n_frozen": "all", "rate": 1e-5, "head": 0}},
        {"rates": {"kind": "listed", "embeddings": 1e-5, "layers": [0, 0], "head": 0}, "adapter": {"kind": "lora"}},
        {
            "rates": {"kind": "uniform", "rate": 0, "head": 1e-3},
            "objective": {"kind": "contrastive"},
            "pooling": "mean",
        },
        {
            "rates": {"kind": "uniform", "rate": 1e-5, "head": 0},
            "unfreezing": {"kind": "gradual", "start": "head"},
        },
    ],
)
def test_a_recipe_by_which_nothing_learns_is_refused(recipe: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="rates must be above 0 at an address that learns"):
        study_spec(recipe={"epochs": 3, "batch": 8, "max_tokens": 48, **recipe})


def test_a_draw_by_which_nothing_learns_is_a_failed_trial_without_a_fit(tmp_path: Path) -> None:
    recipe = {"rates": {"kind": "uniform", "rate": 1e-5, "head": 0}, "epochs": 3, "batch": 8, "max_tokens": 48}
    spec = study_spec(space={"kind": "choices", "rates": [0, 5e-5], "blocks": "all"}, recipe=recipe, sampler="random")
    fitted: list[float] = []

    def fit(job: FitJob, report: Callable[[EpochMetrics], bool]) -> FitResult:
        fitted.append(job.fine_tuning.rates.highest)
        return FakeFit()(job, report)

    records = study(tmp_path, spec, fit).records
    frozen = [record for record in records if not any(record.rates.values())]
    assert frozen
    assert {record.state for record in frozen} == {"failed"}
    assert all("nothing learns" in str(record.reason) for record in frozen)
    assert set(fitted) == {5e-5}
