"""The presets hold what they say, and params.yaml is the default one."""

import json
from pathlib import Path

import pytest

from finetune_alf.experiments.registry import load_params, model_of
from finetune_alf.params import Params
from finetune_alf.params.presets import find_source, preset_names
from finetune_alf.params.reading import parse_document
from finetune_alf.params.schema import params_schema

ROOT = Path(__file__).parents[2]
THESIS = ("distilbert", "bert", "roberta")


def preset(*names: str) -> Params:
    return load_params(ROOT / "no params.yaml", names)


OF_THE_REPOSITORY = {
    "project: auto\n": "project: demo\n",
    "report:\n": "report:\n  kept: docs/results # results of long runs; their page is docs/results.md\n",
}


def test_params_yaml_is_the_default_preset_with_a_project_and_a_folder_of_kept_results() -> None:
    expected = find_source("default").text
    for line, own in OF_THE_REPOSITORY.items():
        assert line in expected
        expected = expected.replace(line, own)
    assert (ROOT / "params.yaml").read_text() == expected, (
        "params.yaml and presets/default.yaml must be the same; git checkout params.yaml undoes `params use`"
    )


@pytest.mark.parametrize("name", [name for name in preset_names() if name != "default"])
def test_every_preset_is_valid_over_the_default(name: str) -> None:
    params = preset(name)
    assert set(params.transfer.studies) <= set(params.studies)
    assert "films" not in params.samples


def test_there_are_the_presets_of_the_papers_and_small_ones_on_real_texts() -> None:
    assert set(preset_names()) >= {"default", "real-small", "thesis-bert", "thesis-distilbert", "thesis-roberta"}
    assert set(preset_names()) >= {"elsa-glue", "elsa-small"}
    assert set(preset_names()) >= {"testbed", "testbed-small"}


@pytest.mark.parametrize("name", THESIS)
def test_thesis_presets_hold_the_theses_numbers(name: str) -> None:
    params = preset(f"thesis-{name}")
    (study,) = params.studies.values()
    recipe = study.recipe
    assert list(params.studies) == [name]
    assert study.space.model_dump()["rates"] == (0, 2e-10, 2e-9, 2e-8, 2e-7, 2e-6, 2e-5)
    assert (recipe.batch, recipe.epochs, recipe.max_tokens, study.n_trials) == (32, 35, 512, 220)
    assert recipe.early_stopping is not None
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
    assert params.transfer.n_seeds == 5
    assert all(sample.n_train == 192 and sample.n_test >= 500 for sample in params.samples.values())


def test_the_freeze_preset_holds_the_papers_numbers() -> None:
    params = preset("elsa-glue")
    four = {"cola", "sst2", "mrpc", "stsb"}
    assert list(params.freeze) == ["bert-base", "bert-large", "roberta-base", "roberta-large"]
    for name, sweep in params.freeze.items():
        assert sweep.rates == (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
        assert (sweep.n_frozen, sweep.n_seeds, sweep.keep_frac) == ("half-up", 5, 0.9)
        assert (sweep.recipe.batch, sweep.recipe.epochs) == (16, 3 if name.startswith("bert") else 10)
        assert sweep.recipe.frozen_dropout == "on"
        assert (set(sweep.samples) == four) != (name == "bert-base")
        assert params.encoders[name].revision
    assert set(params.freeze["bert-base"].samples) == four | {"qqp", "mnli", "qnli", "rte", "wnli"}
    assert all(sample.n_train == sample.n_validation == "all" for sample in params.samples.values())


def test_the_small_freeze_preset_is_as_large_as_it_says() -> None:
    params = preset("elsa-small")
    (sweep,) = params.freeze.values()
    assert (params.studies, params.transfer.studies) == ({}, ())
    assert sweep.rates == (2e-5, 5e-5, 1e-4)
    assert sweep.recipe.rates.at(6)["head"] == 5e-4
    assert set(sweep.samples) == set(params.samples) == {"cola", "sst2", "mrpc", "stsb", "rte"}
    assert all(sample.n_train <= 5000 for sample in params.samples.values())
    assert sweep.recipe.epochs == 3


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("unfreeze", ["all", "top-1", "top-2", "top-3"]),
        ("rate", ["rate-1e-5", "rate-2e-5", "rate-3e-5"]),
        ("dropout", ["dropout-0", "dropout-0.3", "dropout-0.4", "dropout-0.5", "dropout-0.6"]),
        ("heads", ["common-1-own-1", "sts-apart", *(f"common-{n}" for n in ("0-own-1", "0-own-3", "0-own-5"))]),
    ],
)
def test_minbert_presets_hold_the_papers_numbers(name: str, cells: list[str]) -> None:
    params = preset(f"minbert-{name}")
    (experiment,) = params.multitask.values()
    recipe, recipes = experiment.recipe, experiment.recipes()
    assert list(recipes)[: len(cells)] == cells
    assert (recipe.batch, recipe.epochs, recipe.keep, recipe.curve.at(9, 10, 10)) == (32, 10, "best", 0.9**9)
    assert recipe.rates.at(12).layers == (0,) * 10 + (2e-5,) * 2
    assert (recipe.tasks.heads.n_common_layers, recipe.tasks.heads.dropout) == (1, 0.3)
    assert {task: spec.pairs for task, spec in recipe.tasks.each.items()} == {"quora": "apart", "sts": "together"}
    assert recipe.tasks.of("quora").loss == "binary_cross_entropy"
    assert sum(one == recipe for one in recipes.values()) == 1
    mixture = params.samples["minbert"].tasks
    assert list(mixture) == ["sst5", "quora", "sts"]
    assert (mixture["sst5"].n_train, mixture["quora"].n_train) == ("all", 141506)
    assert mixture["sts"].problem_type == "regression"
    assert len(mixture["sst5"].source.revision) == 40
    for cell, one in recipes.items():
        heads = one.tasks.heads
        if cell.startswith("common-"):
            assert cell == f"common-{heads.n_common_layers}-own-{heads.n_own_layers}"
        if cell.startswith("dropout-"):
            assert cell == f"dropout-{heads.dropout:g}"
        if cell.startswith("rate-"):
            assert one.rates.highest == one.rates.at(12)["head"] == float(cell.removeprefix("rate-"))
        if cell.startswith("top-"):
            assert cell == f"top-{sum(rate > 0 for rate in one.rates.at(12).layers)}"


def test_the_final_minbert_preset_has_its_rival_and_each_task_alone() -> None:
    params = preset("minbert-final")
    together, *alone = params.multitask.values()
    rival, final = together.recipes().values()
    assert (final.rates.highest, final.curve.at(9, 10, 10), final.batch) == (1e-5, 0.9**9, 32)
    assert (final.tasks.heads.n_common_layers, final.tasks.heads.n_own_layers, final.tasks.heads.dropout) == (0, 3, 0.5)
    assert (rival.rates.highest, rival.tasks.heads.n_common_layers, rival.tasks.heads.dropout) == (2e-5, 0, 0.3)
    tasks = params.samples["minbert"].tasks
    for experiment in alone:
        assert experiment.vary == together.vary
        [(task, spec)] = params.samples[experiment.sample].tasks.items()
        assert spec == tasks[task]
        assert experiment.recipe.tasks.of(task) == together.recipe.tasks.of(task)
    assert [experiment.sample for experiment in alone] == list(tasks)


@pytest.mark.parametrize("name", ["unfreeze", "rate", "dropout", "heads", "final"])
def test_minbert_presets_have_the_whole_of_sts(name: str) -> None:
    sts = preset(f"minbert-{name}").samples["minbert"].tasks["sts"]
    assert (sts.n_train, sts.n_validation, sts.n_confirmation, sts.n_test) == ("all", "all", 0, "all")


def test_the_small_minbert_preset_has_all_four_experiments() -> None:
    params = preset("minbert-small")
    assert list(params.multitask) == ["unfreeze", "rate", "dropout", "heads"]
    assert len({experiment.recipe.model_dump_json() for experiment in params.multitask.values()}) == 1
    recipes = [recipe.model_dump_json() for one in params.multitask.values() for recipe in one.recipes().values()]
    assert len(recipes) - len(set(recipes)) == 3  # the baseline of all four is fitted once
    assert all(task.n_train == 1000 and task.n_test >= 500 for task in params.samples["minbert"].tasks.values())


def test_numbers_are_those_that_dvc_reads() -> None:
    serialize = pytest.importorskip("dvc.utils.serialize")
    text = find_source("default").text
    ours = parse_document(text, "params.yaml").value
    assert json.loads(json.dumps(serialize.parse_yaml(text, "params.yaml"))) == ours


def test_dvc_finds_every_key_that_it_watches() -> None:
    value = parse_document(find_source("default").text, "params.yaml").value
    sections = ("compute", "encoders", "samples", "studies", "importance", "register", "transfer", "report")
    assert all(value[section] for section in sections)
    assert {"project", "tracking"} <= set(value)
    assert {"schemes", "n_seeds", "seed"} <= set(value["transfer"])


def test_stages_that_write_runs_are_run_again_under_another_name_of_the_project() -> None:
    stages = parse_document((ROOT / "dvc.yaml").read_text(), "dvc.yaml").value["stages"]
    watched = [stage.get("do", stage).get("params", []) for stage in stages.values()]
    assert sum("project" in keys for keys in watched) == 13
    assert all("tracking" in keys for keys in watched if "project" in keys)


def test_the_schema_knows_every_section_by_its_name_in_yaml() -> None:
    schema = params_schema(model_of())
    assert "register" in schema["properties"]
    assert "register_" not in schema["properties"]
    assert schema["additionalProperties"] is False
