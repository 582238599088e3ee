"""`finetune-alf fit`: fit a classifier for use; the command of an experiment that has a scheme beside its study."""

from pathlib import Path

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import json_option, print_documents, quiet_option
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
@json_option
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
    from finetune_alf.experiments.fit.scheme import scheme_named
    from finetune_alf.schedules.reference import is_file

    word = str(Path(scheme).absolute()) if scheme and is_file(scheme) else scheme
    with about("study" if words[:-1] else "--study"):
        for study in studies:
            context.study(study)
    request = fit_request(context, word, studies)
    found = entries(None, request.studies)
    for study in found:
        FIT.run(context, study, *([] if request.scheme is None else [request.scheme]))
    beside = "" if request.scheme is None else f".{scheme_named(context.params, request.scheme).label}"
    print_documents(context.paths.document(FIT.key, f"{study}{beside}") for study in found)
