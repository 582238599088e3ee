"""`finetune-alf init`: a project out of a table of one's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import console, echo, echo_at_once, json_option, print_json, quiet_option, wants_json
from finetune_alf.cli.project import root_option

if TYPE_CHECKING:
    from finetune_alf.starting.params_text import Start


@click.command(
    short_help="Write the files of a project, from a table of your own.",
    epilog="Example: finetune-alf init reviews.csv --label verdict",
)
@click.argument("table", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--text", multiple=True, metavar="COLUMN", help="The column of texts; twice for pairs of texts.")
@click.option("--join", is_flag=True, help="Several columns of --text are one text, joined by a space, and no pair.")
@click.option("--label", multiple=True, metavar="COLUMN", help="The column of labels, or several of 0 and 1.")
@click.option("--labels", metavar="SETTING", help="Classes that are joined or left out, as '{drop: [-1]}'.")
@click.option(
    "--encoder",
    default="minilm",
    show_default=True,
    metavar="NAME",
    help="An encoder of the presets, a folder, or NAME@COMMIT of the Hugging Face hub.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Size the search so that the run takes about so long on this machine, as 10m or 1h. A few training steps are "
    "timed for that, which takes up to a minute, and longer on a busy machine.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
@quiet_option
@root_option
def init(
    table: Path,
    text: tuple[str, ...],
    join: bool,
    label: tuple[str, ...],
    labels: str | None,
    encoder: str,
    budget: str | None,
    force: bool,
    root: Path,
) -> None:
    """Write params.yaml, dvc.yaml with its plots, and .gitignore for TABLE: a CSV, TSV, JSON Lines or Parquet file.

    Columns, task, classes, sizes and the length of texts are guessed, and each guess is printed with what it follows
    from. Change what is wrong in params.yaml, then start `finetune-alf run`. Neither git nor DVC is needed.
    """
    if len(text) > 2 and not join:
        raise click.BadParameter("takes one column, or two for pairs, or more with --join", param_hint="--text")
    if join and len(text) < 2:
        raise click.BadParameter("takes two columns or more, as in --text title --text body", param_hint="--join")
    echo_at_once(f"reading {table}")
    from finetune_alf.data.readers.table import check_is_file, check_suffix
    from finetune_alf.data.text_columns import JoinedText
    from finetune_alf.params.reading import parse_document
    from finetune_alf.paths import command_in
    from finetune_alf.starting.columns import named_label
    from finetune_alf.starting.duration import seconds_of
    from finetune_alf.starting.init import InitOptions, check_room, guess_start, write_start
    from finetune_alf.starting.labels import labels_of

    with about("table"):
        check_suffix(table)
        check_is_file(table)
    check_room(root, force)
    budget_s = None if budget is None else seconds_of(budget)
    from finetune_alf.experiments.registry import model_of

    model = model_of()
    columns = JoinedText(join=text) if join else text
    with about("--labels"):
        spec = labels_of({} if labels is None else parse_document(labels, "--labels").value)
    options = InitOptions(table, root, columns, named_label(label), encoder, budget_s, labels=spec)
    start = guess_start(options, model, console())
    written = [str(path) for path in write_start(start, root, model)]
    echo(f"written: {', '.join(written)}")
    fits = budget_s is None or start.predicted_s is None or start.predicted_s <= budget_s
    for line in _what_next(root, budget) if fits else _over_budget(start, root, budget):
        echo(line)
    if wants_json():
        sized = {} if budget is None else {"predicted_seconds": start.predicted_s, "fits_budget": fits}
        print_json({"guesses": start.guesses(), "written": written, "next": command_in(root, "run"), **sized})


def _what_next(root: Path, budget: str | None) -> Iterator[str]:
    from finetune_alf.paths import command_in

    yield f"Next: {command_in(root, 'run')}"
    if budget is None:
        yield f"To know its time beforehand: {command_in(root, 'prepare')}, then {command_in(root, 'plan')}"


def _over_budget(start: "Start", root: Path, budget: str | None) -> Iterator[str]:
    """Yield what can be done where not even the smallest search fits the budget."""
    from finetune_alf.paths import command_in
    from finetune_alf.report.numbers import duration

    takes = duration(start.predicted_s or 0)
    yield f"over budget: no search fits into {budget}; the smallest is written, and predicted to take {takes}"
    yield f"To run it all the same: {command_in(root, 'run')}"
    if start.has_classes:
        fit = command_in(root, "fit", "baseline")
        yield f"Plain fine-tuning alone, one fit without a search: {command_in(root, 'prepare')}, then {fit}"
    if start.was_busy:
        yield "The machine is busy: when it is not, the same command with --force may find a search that fits."
