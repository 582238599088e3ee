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
@click.argument("words", nargs=-1, metavar="[STUDY] [SCHEME]")
@click.option("--study", "studies", multiple=True, metavar="STUDY", help="The study to fit for. Repeatable.")
@quiet_option
@root_option
def fit(words: tuple[str, ...], studies: tuple[str, ...], root: Path) -> None:
    """Fit the classifiers that the command line names."""
    if len(words) > 2 or (len(words) == 2 and studies):
        raise click.UsageError(f"takes a study and a scheme at most, but got {' '.join((*studies, *words))}")
    context = open_context(root)
    scheme = words[-1] if words else None
    studies = words[:-1] or studies
    from finetune_alf.experiments.fit.request import fit_request
    from finetune_alf.schedules.reference import is_file

    word = str(Path(scheme).absolute()) if scheme and is_file(scheme) else scheme
    request = fit_request(context, word, studies)
    for study in entries(None, request.studies):
        FIT.run(context, study, *([] if request.scheme is None else [request.scheme]))
