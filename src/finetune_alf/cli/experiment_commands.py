"""The commands of the experiments, one each, made from the registry."""

from itertools import product
from pathlib import Path
from typing import Any

import click

from finetune_alf.cli.output import echo_at_once, json_option, print_documents, quiet_option
from finetune_alf.cli.project import entries, open_context, root_option
from finetune_alf.experiments.experiment import Experiment


def command_of(experiment: Experiment) -> click.Command:
    """Return an experiment's command: its arguments by name, all of them optional."""

    def run(root: Path, **given: str | None) -> None:
        context = open_context(root)
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
