"""Starting up: quick, quiet, and with an example for every command."""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from finetune_alf import __version__
from finetune_alf.cli.entry import group
from finetune_alf.cli.extras import MODULES_OF_PIPELINE, how_to_install, missing_extra
from finetune_alf.processes import OBJECTS_A_COLLECTION

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "mlflow", "transformers", "datasets", "optuna", "sklearn", "scipy", "altair", "pyarrow", "numpy")
STILL_HEAVY_FOR_HELP = (*HEAVY, "pydantic", "ruamel.yaml", "tqdm")


def loaded_by(*words: str) -> set[str]:
    """Return the modules that a command loads in an empty folder: in one with results it has more to read."""
    code = (
        "import json, sys\n"
        "from finetune_alf.cli.entry import group\n"
        f"group({list(words)!r}, standalone_mode=False)\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=folder
        )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["study", "--help"], ["params", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert loaded_by(*words).isdisjoint(STILL_HEAVY_FOR_HELP)


def test_listing_schedules_loads_nothing_that_it_does_not_list() -> None:
    loaded = loaded_by("schedules", "list")
    assert loaded.isdisjoint(HEAVY)
    assert loaded.isdisjoint({"finetune_alf.params.model", "finetune_alf.encoder.spec", "finetune_alf.data.spec"})


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (["predict", "nosuch", "texts.csv"], "there is no such classifier"),
        (["predict", "minilm", "nosuch.csv"], "no such file"),
    ],
)
def test_what_predict_refuses_is_told_before_pytorch_is_loaded(words: list[str], refused: str, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text\na text\n")
    code = (
        "import sys\n"
        "from finetune_alf.cli.entry import group\n"
        "try:\n"
        f"    group({words!r}, standalone_mode=False)\n"
        "except Exception as error:\n"
        "    print(error)\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path
    )
    *told, loaded = done.stdout.splitlines()
    assert refused in "\n".join([*told, done.stderr])
    assert loaded == "[]"


def test_objects_that_stay_are_not_searched_for_garbage_again_and_again_nor_at_the_end() -> None:
    code = (
        "import atexit, gc, sys\n"
        "atexit.register(lambda: print(gc.get_threshold()[0], gc.get_freeze_count() > 0))\n"
        "from finetune_alf.cli import main\n"
        "sys.argv[1:] = ['--version']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == f"{OBJECTS_A_COLLECTION} True"


def test_checking_parameters_loads_no_vendor_of_the_pipeline() -> None:
    assert loaded_by("params", "schema").isdisjoint(HEAVY)


NEEDING_PIPELINE = ("run", "plan", "prepare", "study", "importance", "register", "transfer", "anatomy")


def test_without_the_extra_a_command_names_it_and_ends_as_for_any_input(tmp_path: Path) -> None:
    program = f"""
import json, sys
from click.testing import CliRunner
for name in {sorted(MODULES_OF_PIPELINE)!r}:
    sys.modules[name] = None  # as if it were not installed
from finetune_alf.cli.entry import group
root = ["--root", {str(tmp_path)!r}]
CliRunner().invoke(group, ["params", "use", "default", *root])
told = [CliRunner().invoke(group, [command, *root]) for command in {NEEDING_PIPELINE!r}]
print(json.dumps([(one.exit_code, one.stderr) for one in told]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    for command, (exit_code, stderr) in zip(NEEDING_PIPELINE, json.loads(done.stdout), strict=True):
        assert exit_code == 3, command
        assert stderr.startswith("cannot import "), command
        assert "is not installed. This command needs the extra `pipeline`." in stderr, command
        assert stderr.endswith(f"{how_to_install()}\n"), command


def test_the_extra_is_installed_by_the_name_of_the_package_or_from_the_file_that_make_dist_builds() -> None:
    assert '`pip install "finetune-alf[pipeline]"`' in how_to_install()
    assert f'"finetune_alf-{__version__}-py3-none-any.whl[pipeline]"' in how_to_install()


def test_a_missing_module_of_no_extra_is_a_fault_of_the_program() -> None:
    assert missing_extra(ModuleNotFoundError(name="no_such_module")) is None
    assert missing_extra(ModuleNotFoundError()) is None
    assert "torch" in str(missing_extra(ModuleNotFoundError(name="torch.nn")))


def test_the_modules_of_the_extra_are_those_of_its_distributions() -> None:
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["pipeline"]
    names = {re.split("[<>=]", requirement)[0] for requirement in requirements}
    imported = {"scikit-learn": "sklearn", "markdown-it-py": "markdown_it", "vl-convert-python": "vl_convert"}
    assert {imported.get(name, name) for name in names} == MODULES_OF_PIPELINE


def commands(command: click.Command, name: str = "") -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        within = {key: command.get_command(ctx, key) for key in command.list_commands(ctx)}
        return [found for key, one in within.items() if one for found in commands(one, f"{name} {key}".strip())]
    return [(name, command)]


@pytest.mark.parametrize(("name", "command"), commands(group))
def test_every_command_shows_an_example_of_itself(name: str, command: click.Command) -> None:
    result = CliRunner().invoke(group, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: finetune-alf {name}" in result.output


def test_commands_are_listed_in_the_order_of_the_work() -> None:
    studies = ["study", "importance", "register"]
    experiments = ["transfer", "freeze", "schemes", "multitask", "budget", "labels", "forgetting", "decay", "fit"]
    listed = group.list_commands(click.Context(group))
    assert listed[:18] == ["init", "prepare", "encoder", "adapt", *studies, *experiments, "report", "run"]
    output = CliRunner().invoke(group, ["--help"]).output
    assert output.index("prepare") < output.index("importance  ")


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(group, ["--version"]).output == f"finetune-alf, version {__version__}\n"


def test_a_misspelt_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(group, ["stduy"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


def test_help_lists_each_command_once_under_a_heading() -> None:
    output = CliRunner().invoke(group, ["--help"]).output
    below = output[output.index("Start here:") :]
    headings = re.findall(r"^(\S.*):$", below, re.MULTILINE)
    assert headings == ["Start here", "Stages of a run", "Experiments", "Look and change"]
    listed = re.findall(r"^  ([a-z]+) {2,}\S", below, re.MULTILINE)
    assert sorted(listed) == sorted(group.list_commands(click.Context(group)))
