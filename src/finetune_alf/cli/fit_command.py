"""`finetune-alf fit`: fit a classifier for use; the command of an experiment that has a scheme beside its study."""

from pathlib import Path

import click

from finetune_alf.cli.output import quiet_option
from finetune_alf.cli.project import entries, open_context, root_option
from finetune_alf.experiments.fit.experiment import FIT


@click.command(
    FIT.key,
    help=FIT.help.long,
    short_help=FIT.help.short,
    epilog=f"Example: finetune-alf {FIT.key} {FIT.help.example}",
)
@click.argument("scheme", required=False)
@click.option("--study", "studies", multiple=True, metavar="STUDY", help="The study to fit for. Repeatable.")
@quiet_option
@root_option
def fit(scheme: str | None, studies: tuple[str, ...], root: Path) -> None:
    """Fit the classifiers that the command line names."""
    context = open_context(root)
    from finetune_alf.experiments.fit.request import fit_request
    from finetune_alf.schedules.reference import is_file

    word = str(Path(scheme).absolute()) if scheme and is_file(scheme) else scheme
    request = fit_request(context, word, studies)
    for study in entries(None, request.studies):
        with context.lock(FIT.lock(study)):
            from finetune_alf.experiments.fit.stage import fit as run_stage

            run_stage(context, study, request.scheme)
