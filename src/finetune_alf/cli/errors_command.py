"""`finetune-alf errors`: what a saved classifier gets wrong, and which labels are likely wrong."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo, echo_at_once, json_option, print_json, quiet_option, wants_json
from finetune_alf.cli.project import open_context, root_option

if TYPE_CHECKING:
    from finetune_alf.running.context import Context


@click.command(
    short_help="List what a classifier gets wrong, and likely label errors.",
    epilog="Example: finetune-alf errors minilm --out errors.csv",
)
@click.argument("words", nargs=-1, metavar="[STUDY] [SCHEME]")
@click.option(
    "--split",
    type=click.Choice(["test", "validation"]),
    default="test",
    show_default=True,
    help="The split whose errors are listed.",
)
@click.option(
    "--model", help="Another classifier of the same sample: its folder, or its name under models, such as minilm.probe."
)
@click.option("--n", type=click.IntRange(1), default=20, show_default=True, help="Texts that are shown of each kind.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all findings, with whole texts, as CSV, TSV or JSON Lines to a file.",
)
@json_option
@quiet_option
@root_option
def errors(
    words: tuple[str, ...],
    split: Literal["test", "validation"],
    model: str | None,
    n: int,
    out: Path | None,
    root: Path,
) -> None:
    """List what the classifier of STUDY gets wrong; without a name, of the only study that params.yaml has.

    A classifier that `fit` saved by a scheme of its own is named as `fit` prints it: minilm.probe, its folder
    models/minilm.probe, or the two words minilm probe.

    The confusion matrix of the test texts, the texts that are wrong most surely, those on which the schemes of the
    transfer disagree, and labels that are likely wrong: of the test texts by the classifier, of the training texts by a
    probe that is cross-validated on them. Nothing is changed. --json and --out have all texts, whole.
    """
    if len(words) > 2:
        raise click.UsageError(f"takes a study and a scheme at most, but got {' '.join(words)}")
    context = open_context(root)
    from finetune_alf.cli.named_classifier import named_classifier
    from finetune_alf.data.table import writing

    name, folder = named_classifier(context, words, model)
    if out is not None:
        _check_out(out, context, name)
    echo_at_once(f"errors: loading PyTorch and the classifier {folder}")
    from finetune_alf.error_analysis.document import COLUMNS
    from finetune_alf.experiments.fit.errors import find_errors

    document = find_errors(context, name, folder, split)
    if out is not None:
        with writing(out, COLUMNS) as write:
            write(list(document.findings()))
    if wants_json():
        print_json(document.as_json())
    else:
        from finetune_alf.cli.errors_tables import lines_of

        for line in lines_of(document, n):
            echo(line)
    if out is not None:
        echo(f"{out}: all {sum(1 for _ in document.findings()):,} findings")


def _check_out(out: Path, context: "Context", study: str) -> None:
    """Refuse, before anything is computed, a file that cannot be written, or that the sample is drawn from."""
    from finetune_alf.data.places import own_files
    from finetune_alf.data.spec import SampleSpec
    from finetune_alf.data.table import check_destination

    spec = context.sample(context.study(study).sample)
    places = (None, *(own_files(spec, context.paths.root) if isinstance(spec, SampleSpec) else ()))
    with about("--out"):
        for path in places:
            check_destination(out, path)
