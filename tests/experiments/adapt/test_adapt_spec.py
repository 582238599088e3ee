"""What may be asked of further pre-training: the paper's defaults, and the small preset."""

import json

import pytest
from pydantic import ValidationError

from finetune_alf.experiments.adapt.spec import AdaptSpec
from finetune_alf.experiments.registry import load_params


def asked(**changes: object) -> AdaptSpec:
    return AdaptSpec.model_validate_json(json.dumps({"encoder": "tiny", "sample": "films", **changes}))


def test_the_defaults_are_the_papers() -> None:
    spec = asked(n_steps=100_000)
    assert (spec.batch, spec.max_tokens, spec.rate, spec.warmup_frac) == (32, 128, 5e-5, 0.1)
    assert spec.mask_frac == 0.15


def test_the_comparison_is_no_part_of_the_training() -> None:
    assert asked(epochs=1).training() == asked(epochs=1, n_seeds=7, n_resamples=300, metric="f1").training()
    assert asked(epochs=1).training() != asked(epochs=1, whole_words=True).training()


@pytest.mark.parametrize("changes", [{}, {"epochs": 1, "n_steps": 1}, {"epochs": 1, "column": "text"}])
def test_what_contradicts_itself_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="must"):
        asked(**changes)


def test_the_small_preset_reads_all_reviews_and_compares_on_a_few() -> None:
    params = load_params("no params.yaml", ["adapt-small"])
    (spec,) = params.adapt.values()
    assert (params.studies, params.transfer.studies) == ({}, ())
    assert spec.file == "${ALF_DATA}/imdb/train.parquet"
    assert spec.recipe is not None
    assert (spec.recipe.batch, spec.recipe.max_tokens, spec.n_seeds) == (16, 64, 3)
    assert params.encoders["minilm-imdb"].model_dump() == {"kind": "adapted", "adapt": "imdb"}
