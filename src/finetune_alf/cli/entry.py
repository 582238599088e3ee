"""The command `finetune-alf`: its options, its commands, its logging."""

import logging
import os
import sys
from functools import cached_property

import click

from finetune_alf import __version__
from finetune_alf.cli import params_commands, schedule_commands, stage_commands
from finetune_alf.cli.anatomy_command import anatomy
from finetune_alf.cli.doctor_command import doctor
from finetune_alf.cli.errors_command import errors
from finetune_alf.cli.experiment_commands import command_of
from finetune_alf.cli.fit_command import fit
from finetune_alf.cli.guard import GuardedGroup
from finetune_alf.cli.init_command import init
from finetune_alf.cli.plan_command import plan
from finetune_alf.cli.predict_command import predict
from finetune_alf.cli.streams import open_streams
from finetune_alf.cli.sync_command import sync
from finetune_alf.cli.ui_command import ui
from finetune_alf.cli.wrapping import for_stream
from finetune_alf.errors import AlfError
from finetune_alf.experiments.registry import registry
from finetune_alf.processes import collect_rarely

_QUIET = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

_HELP = """Search, explain, register and test per-layer learning rates of BERT-family encoders.

\b
Everything that is trained is described by params.yaml in the current folder:
    finetune-alf init reviews.csv
    finetune-alf run
"""


_HEADINGS = {
    "Start here": ("init", "run", "plan", "report", "predict", "errors"),
    "Stages of a run": ("prepare", "encoder", "study", "importance", "register"),
    "Experiments": (),
    "Look and change": ("params", "anatomy", "schedules", "ui", "sync", "doctor"),
}
"""The commands by heading; those that stand under none are experiments."""


_OWN_COMMANDS = {command.name: command for command in (fit,)}
"""Commands of experiments that take more than the arguments of their entries."""


class _Commands(GuardedGroup):
    """The package's own commands, and one for each experiment of the registry."""

    @cached_property
    def _of_experiments(self) -> dict[str, click.Command]:
        return {each.key: _OWN_COMMANDS.get(each.key) or command_of(each) for each in registry()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List commands in the order of the work."""
        names = super().list_commands(ctx)
        for experiment in registry():
            names.insert(names.index("study" if experiment.before_studies else "report"), experiment.key)
        return names

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, in the order of the work."""
        named = {name for names in _HEADINGS.values() for name in names}
        for heading, own in _HEADINGS.items():
            names = own or [name for name in self.list_commands(ctx) if name not in named]
            found = [(name, command) for name in names if (command := self.get_command(ctx, name))]
            limit = formatter.width - 6 - max(len(name) for name in self.list_commands(ctx))
            with formatter.section(heading):
                formatter.write_dl([(name, command.get_short_help_str(limit)) for name, command in found])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name; InputError where an experiment cannot be loaded."""
        return super().get_command(ctx, cmd_name) or self._of_experiments.get(cmd_name)


@click.group(
    cls=_Commands,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 a fault of the program, 2 usage, 3 input, 4 storage, 5 partly done, 130/143 stopped.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens on the way.")
@click.version_option(__version__, prog_name="finetune-alf")
def group(debug: bool, verbose: bool) -> None:
    """Set up what all commands share: the environment and the log."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("finetune_alf").setLevel(logging.INFO if verbose else logging.WARNING)


for command in (
    init,
    stage_commands.prepare,
    stage_commands.encoder,
    stage_commands.study,
    stage_commands.importance,
    stage_commands.register,
    stage_commands.report,
    stage_commands.run,
    predict,
    errors,
    plan,
    params_commands.params,
    anatomy,
    schedule_commands.schedules,
    ui,
    sync,
    doctor,
):
    group.add_command(command)


def main() -> None:
    """Run the command line."""
    collect_rarely()
    open_streams()
    try:
        group(prog_name="finetune-alf")
    except AlfError as error:  # before any command runs: an experiment that cannot be loaded, a help on a full disk
        click.echo(for_stream(str(error), sys.stderr), err=True)
        sys.exit(error.exit_code)
