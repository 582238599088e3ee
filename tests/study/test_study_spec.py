"""The params of a study, and the reasons for which some are refused."""

import json
from typing import Any

import pytest
from fake_studies import study_spec
from pydantic import TypeAdapter, ValidationError

from finetune_alf.metric_names import PROBLEM_TYPES
from finetune_alf.study.spec import UNSUPPORTED_PRUNERS, UNSUPPORTED_SAMPLERS, StudySpec, TpeSampler


def test_the_default_is_the_thesiss_sampler_without_a_pruner() -> None:
    spec = study_spec()
    assert spec.sampler == TpeSampler()
    assert spec.pruner is None


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc"])
def test_a_bare_name_stands_for_a_sampler_of_that_kind(kind: str) -> None:
    assert study_spec(sampler=kind) == study_spec(sampler={"kind": kind})


@pytest.mark.parametrize("name", ["CmaEsSampler", "cmaes", "grid", "nsgaii", "NSGAIII", "gp", "brute_force"])
def test_an_unsupported_sampler_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ValidationError, match=f"must be tpe or random or qmc, but got {name}: .+"):
        study_spec(sampler=name)
    with pytest.raises(ValidationError, match=f"but got {name}: .+"):
        study_spec(sampler={"kind": name})


@pytest.mark.parametrize("name", sorted(UNSUPPORTED_PRUNERS))
def test_an_unsupported_pruner_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ValidationError, match=f"but got {name}: .+"):
        study_spec(pruner=name)


def test_an_unknown_sampler_is_refused_with_the_supported_ones() -> None:
    assert "simulated_annealing" not in UNSUPPORTED_SAMPLERS
    with pytest.raises(ValidationError, match="must be tpe or random or qmc, but got simulated_annealing"):
        study_spec(sampler="simulated_annealing")


@pytest.mark.parametrize("space", [{"kind": "choices", "rates": [0, 4e-4]}, {"kind": "log", "low": 1e-6, "high": 4e-4}])
def test_rates_at_which_an_encoder_forgets_are_refused_unless_allowed(space: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"catastrophic forgetting.*Sun et al\. 2019"):
        study_spec(space=space)
    recipe = json.loads(study_spec().recipe.model_dump_json())
    assert study_spec(space=space, recipe={**recipe, "allow_forgetting": True}).space.highest == 4e-4
    assert study_spec(space=space, recipe={**recipe, "optimizer": {"kind": "sgd"}}).space.highest == 4e-4


def test_every_metric_can_be_maximized() -> None:
    for metric in PROBLEM_TYPES:
        assert study_spec(metric=metric).metric == metric


def test_the_json_schema_takes_a_bare_name_as_validation_does() -> None:
    text = json.dumps(TypeAdapter(StudySpec).json_schema()["properties"]["sampler"])
    assert '{"enum": ["tpe", "random", "qmc"], "type": "string"}' in text
