"""Starting up: quick, quiet, and with an example for every command."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from finetune_alf import __version__
from finetune_alf.cli.entry import group

HEAVY = ("torch", "mlflow", "transformers", "datasets", "optuna", "sklearn", "scipy", "matplotlib", "pyarrow", "numpy")
STILL_HEAVY_FOR_HELP = (*HEAVY, "pydantic", "ruamel.yaml", "tqdm")


def loaded_by(*words: str) -> set[str]:
    code = (
        "import json, sys\n"
        "from finetune_alf.cli.entry import group\n"
        f"group({list(words)!r}, standalone_mode=False)\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["study", "--help"], ["params", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert loaded_by(*words).isdisjoint(STILL_HEAVY_FOR_HELP)


def test_checking_parameters_loads_no_vendor_of_the_pipeline() -> None:
    assert loaded_by("params", "schema").isdisjoint(set(HEAVY) - {"numpy"})


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
    stages = ["study", "importance", "register", "transfer", "freeze", "schemes", "multitask", "report", "run"]
    assert group.list_commands(click.Context(group))[:12] == ["prepare", "encoder", "adapt", *stages]
    output = CliRunner().invoke(group, ["--help"]).output
    assert output.index("prepare") < output.index("importance  ")


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(group, ["--version"]).output == f"finetune-alf, version {__version__}\n"


def test_a_misspelt_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(group, ["stduy"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr
