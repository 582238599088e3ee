"""The registry, dvc.yaml, the default parameters and the folders of results name the same experiments."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from finetune_alf.errors import InputError
from finetune_alf.experiments.experiment import Experiment
from finetune_alf.experiments.freeze.experiment import FREEZE
from finetune_alf.experiments.registry import BUILT_IN, load_params, model_of, plannables, registry
from finetune_alf.params.presets import find_source
from finetune_alf.paths import Paths

ROOT = Path(__file__).parents[2]
DVC = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
KEYS = [experiment.key for experiment in BUILT_IN]

each = pytest.mark.parametrize("experiment", BUILT_IN, ids=KEYS)


def stage(experiment: Experiment) -> dict[str, Any]:
    entry: dict[str, Any] = DVC[experiment.key]
    return {**entry, **entry.get("do", {})}


@each
def test_dvc_has_a_stage_that_runs_its_command_and_keeps_its_documents(experiment: Experiment) -> None:
    own = stage(experiment)
    assert own["cmd"].startswith(f"exec finetune-alf {experiment.key} ")
    assert own["cmd"].count("${") == len(experiment.arguments)
    assert any(str(param).startswith(f"{experiment.key}.") for param in own["params"])
    (document,) = (out for out in own["outs"] if str(out).endswith("}.json"))
    assert document.startswith(f"results/{experiment.key}/")
    assert document.replace(".json", ".jsonl") in own["outs"]
    assert {path.split("/")[1] for path in own.get("metrics", [])} <= {"summary"}


@each
def test_the_report_depends_on_its_documents_whose_folder_is_in_the_tree(experiment: Experiment) -> None:
    assert f"results/{experiment.key}" in DVC["report"]["deps"]
    assert (ROOT / "results" / experiment.key / ".gitignore").is_file()


@each
def test_the_default_parameters_have_its_section(experiment: Experiment) -> None:
    for text in (find_source("default").text, (ROOT / "params.yaml").read_text("utf-8")):
        assert experiment.key in YAML(typ="safe").load(text)


@each
def test_its_room_has_the_modules_of_a_room(experiment: Experiment) -> None:
    room = ROOT / "src" / "finetune_alf" / "experiments" / experiment.key
    modules = {file.stem for file in room.glob("*.py")}
    assert {"spec", "section", "stage", "document", "page", "figure", "planned", "experiment"} <= modules


@each
def test_what_its_methods_need_is_in_the_modules_beside_it(experiment: Experiment, tmp_path: Path) -> None:
    assert experiment.section.key == experiment.key
    assert experiment.part(Paths(tmp_path)) is None
    room = f"finetune_alf.experiments.{experiment.key}"
    assert callable(getattr(import_module(f"{room}.stage"), experiment.key))
    assert callable(getattr(import_module(f"{room}.planned"), f"{experiment.key}_planned"))


def test_no_stage_and_no_folder_of_results_belongs_to_an_experiment_that_is_not_there() -> None:
    stages = {"prepare", "encoder", "study", "importance", "register", "report"}
    assert set(DVC) - stages == set(KEYS)
    folders = {folder.parent.name for folder in ROOT.glob("results/*/.gitignore")}
    assert folders == {"study", "importance", "schedules", *KEYS}


def test_the_record_of_params_yaml_has_a_section_for_each() -> None:
    assert set(KEYS) <= set(model_of().model_fields)
    assert set(KEYS).isdisjoint(model_of([FREEZE]).model_fields.keys() - {"freeze"})


def test_an_explicit_list_takes_the_place_of_the_registry(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(find_source("default").text.partition("\ntransfer:")[0])
    params = load_params(tmp_path / "params.yaml", experiments=[FREEZE])
    assert FREEZE.choices(params) == ((),)
    assert not hasattr(params, "multitask")


def test_studies_are_planned_after_what_they_may_depend_on() -> None:
    keys = [plannable.key for plannable in plannables()]
    experiments = ["transfer", "freeze", "schemes", "multitask", "budget", "labels", "forgetting", "decay", "fit"]
    assert keys == ["adapt", "studies", *experiments]


def test_a_key_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "again", "somewhere:FREEZE"

        def load(self) -> Experiment:
            return FREEZE

        def __lt__(self, other: object) -> bool:
            return False

    monkeypatch.setattr("finetune_alf.experiments.registry.metadata.entry_points", lambda group: [Point()])
    registry.cache_clear()
    with pytest.raises(InputError, match="freeze is taken"):
        registry()
    registry.cache_clear()
