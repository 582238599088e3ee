"""The spec of further pre-training: the paper's defaults, and the small preset."""

import json

import pytest
from pydantic import ValidationError

from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.registry import load_params


def adapt_spec(**changes: object) -> AdaptSpec:
    return AdaptSpec.model_validate_json(json.dumps({"encoder": "tiny", "sample": "films", **changes}))


def test_the_defaults_are_the_papers() -> None:
    spec = adapt_spec(n_steps=100_000)
    assert (spec.batch, spec.max_tokens, spec.rate, spec.warmup_frac) == (32, 128, 5e-5, 0.1)
    assert spec.mask_frac == 0.15


def test_weights_do_not_depend_on_the_comparison() -> None:
    training = adapt_spec(epochs=1).training()
    assert training == adapt_spec(epochs=1, n_seeds=7, metric="f1").training()
    assert training != adapt_spec(epochs=1, whole_words=True).training()


def test_the_number_of_steps_is_given_or_that_of_whole_epochs() -> None:
    assert adapt_spec(n_steps=7).n_steps_for(100) == 7
    assert adapt_spec(epochs=3, batch=32).n_steps_for(100) == 3 * 4


@pytest.mark.parametrize("changes", [{}, {"epochs": 1, "n_steps": 1}, {"epochs": 1, "column": "text"}])
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="must"):
        adapt_spec(**changes)


def test_the_small_preset_trains_on_all_reviews_and_compares_on_a_few() -> None:
    params = load_params("no params.yaml", ["adapt-small"])
    (spec,) = params.adapt.values()
    assert (params.studies, params.transfer.studies) == ({}, ())
    assert spec.file == "${ALF_DATA}/imdb/train.parquet"
    assert spec.recipe is not None
    assert (spec.recipe.batch, spec.recipe.max_tokens, spec.n_seeds) == (16, 64, 5)
    assert params.encoders["minilm-imdb"].model_dump() == {"kind": "adapted", "adapt": "imdb"}
