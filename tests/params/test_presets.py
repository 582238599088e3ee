"""The presets hold what they say, and params.yaml is the default one."""

import json
from pathlib import Path

import pytest

from finetune_alf.params import Params, load_params
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.params.reading import parse_document
from finetune_alf.params.schema import params_schema

ROOT = Path(__file__).parents[2]
THESIS = ("distilbert", "bert", "roberta")


def preset(*names: str) -> Params:
    return load_params(ROOT / "no params.yaml", names)


def test_params_yaml_is_the_default_preset() -> None:
    assert (ROOT / "params.yaml").read_text() == find_source("default").text, (
        "params.yaml and presets/default.yaml must be the same; git checkout params.yaml undoes `params use`"
    )


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "default"])
def test_every_preset_is_valid_over_the_default(name: str) -> None:
    params = preset(name)
    assert set(params.transfer.studies) <= set(params.studies)
    assert "films" not in params.samples


def test_there_are_the_presets_of_the_thesis_and_a_small_real_one() -> None:
    assert preset_names() == ["default", "real-small", "thesis-bert", "thesis-distilbert", "thesis-roberta"]


@pytest.mark.parametrize("name", THESIS)
def test_thesis_presets_hold_the_theses_numbers(name: str) -> None:
    params = preset(f"thesis-{name}")
    (study,) = params.studies.values()
    recipe = study.recipe
    assert list(params.studies) == [name]
    assert study.space.model_dump()["rates"] == (0, 2e-10, 2e-9, 2e-8, 2e-7, 2e-6, 2e-5)
    assert (recipe.batch, recipe.epochs, recipe.max_tokens, study.n_trials) == (32, 35, 512, 220)
    assert recipe.stopping is not None
    assert study.pruner is None
    assert (recipe.rates.highest, recipe.rates.at(6)["head"]) == (2e-5, 2e-5)
    for sample in params.samples.values():
        sizes = (sample.n_train, sample.n_validation, sample.n_confirmation, sample.n_test)
        assert sizes == (2000, 480, 480, 960)
        assert len(sample.source.revision) == 40
    assert list(params.samples) == ["imdb", "yelp", "sst2", "amazon"]


def test_the_small_real_preset_is_as_large_as_it_says() -> None:
    params = preset("real-small")
    study = params.studies["minilm"]
    assert study.sample == "imdb"
    assert study.n_trials >= 30
    assert (study.recipe.max_tokens, study.recipe.epochs, study.recipe.batch) == (64, 5, 16)
    assert study.recipe.rates.at(6)["head"] == 5e-4
    assert params.transfer.n_seeds == 3
    assert all(sample.n_train == 192 and sample.n_test >= 500 for sample in params.samples.values())


def test_numbers_are_those_that_dvc_reads() -> None:
    serialize = pytest.importorskip("dvc.utils.serialize")
    text = find_source("default").text
    ours = parse_document(text, "params.yaml").value
    assert json.loads(json.dumps(serialize.parse_yaml(text, "params.yaml"))) == ours


def test_dvc_finds_every_key_that_it_watches() -> None:
    value = parse_document(find_source("default").text, "params.yaml").value
    sections = ("compute", "tracking", "encoders", "samples", "studies", "importance", "register", "transfer", "report")
    assert all(value[section] for section in sections)
    assert {"schemes", "n_seeds", "decay", "n_resamples", "seed"} <= set(value["transfer"])


def test_the_schema_knows_every_section_by_its_name_in_yaml() -> None:
    schema = params_schema()
    assert "register" in schema["properties"]
    assert "register_" not in schema["properties"]
    assert schema["additionalProperties"] is False
