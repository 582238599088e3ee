"""The commands of the experiments, one each, made from the registry."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo_at_once, json_option, print_documents, quiet_option
from finetune_alf.cli.project import entries, open_context, root_option
from finetune_alf.experiments.experiment import Experiment, NamedExperiment

if TYPE_CHECKING:
    from finetune_alf.running.context import Context


def command_of(experiment: Experiment) -> click.Command:
    """Return an experiment's command: its arguments by name, all of them optional."""

    def run(root: Path, **given: str | None) -> None:
        context = open_context(root)
        _check_names(context, experiment, given)
        choices = zip(experiment.arguments, experiment.choices(context.params), strict=True)
        named = [[name] if (name := given[argument]) else there for argument, there in choices]
        chosen = entries(None, product(*named))
        for arguments in chosen:
            echo_at_once(f"{' '.join((experiment.key, *arguments))}: loading PyTorch, MLflow and the encoder")
            experiment.run(context, *arguments)
        documents = (context.paths.document(experiment.key, *arguments) for arguments in chosen)
        print_documents(path for path in documents if path.exists())

    callback: Any = json_option(quiet_option(root_option(run)))
    for argument in reversed(experiment.arguments):
        callback = click.argument(argument, required=False)(callback)
    return click.command(
        experiment.key,
        help=experiment.help.long,
        short_help=experiment.help.short,
        epilog=f"Example: finetune-alf {experiment.key} {experiment.help.example}",
    )(callback)


def _check_names(ctx: "Context", experiment: Experiment, given: Mapping[str, str | None]) -> None:
    """Raise InputError, which names the argument, for a name that params.yaml does not have."""
    from finetune_alf.params.section import entry

    for argument, name in given.items():
        if name is None:
            continue
        with about(argument):
            if argument == "study":
                ctx.study(name)
            elif argument == "sample":
                ctx.sample(name)
            elif isinstance(experiment, NamedExperiment):
                entry(experiment.key, experiment.section.of(ctx.params), name)
