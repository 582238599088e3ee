"""An encoder that is not computed in bf16 is in fp32 in all that says in what its fits ran."""

import json

import pytest

from finetune_alf.compute import Compute, Environment
from finetune_alf.data.prepare import prepare_sample
from finetune_alf.data.spec import SampleSpec
from finetune_alf.encoder.load import load_encoder
from finetune_alf.encoder.spec import RandomEncoder
from finetune_alf.jobs.job import FitJob
from finetune_alf.jobs.runner import FitRunner
from finetune_alf.planning.probe import engine_of
from finetune_alf.recipe import ProbeRecipe, TfidfRecipe
from finetune_alf.train.result import recorded
from tiny import tiny_recipe
from tiny_families import PACKED, PADDED_ONLY

FAMILIES = PACKED | PADDED_ONLY
COMPUTED_IN = {"deberta": "fp32", "deberta-v2": "bf16", "bert": "bf16"}
BF16 = Environment(device="cpu", precision="bf16", n_threads=1, git_commit=None, versions={})
FILMS = {"source": {"kind": "mini", "domain": "films"}, "n_train": 16, "n_validation": 16, "n_confirmation": 0}


def encoder_of(family):
    return RandomEncoder(kind="random", config={"model_type": family, **FAMILIES[family]}, seed=1)


@pytest.mark.parametrize(
    ("recipe", "family", "precision"),
    [
        *((tiny_recipe(epochs=1), *each) for each in COMPUTED_IN.items()),
        (ProbeRecipe(max_tokens=16), "deberta", "fp32"),
        (TfidfRecipe(), "deberta", "bf16"),  # it takes no encoder
    ],
)
def test_the_environment_of_a_fit_has_the_precision_that_it_was_computed_in(tmp_path, recipe, family, precision):
    spec = SampleSpec.model_validate_json(json.dumps({**FILMS, "n_test": 16, "max_train_frac": 0.2}))
    digest = prepare_sample("films", spec, tmp_path / "films").digest
    job = FitJob("trial 3", recipe, encoder_of(family), digest, 1, "bf16")
    result = FitRunner({digest: tmp_path / "films"}, Compute("cpu", "bf16", 1))(job, lambda epoch: True)
    assert recorded(result, BF16).environment == BF16.model_copy(update={"precision": precision})


@pytest.mark.parametrize(("family", "precision"), COMPUTED_IN.items())
def test_a_plan_counts_the_bytes_of_that_precision(family, precision):
    engine = engine_of(load_encoder(encoder_of(family), 2), Compute("cpu", "bf16", 1))
    assert engine.bytes_per_number == {"fp32": 4, "bf16": 2}[precision]
