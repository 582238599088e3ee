"""`finetune-alf predict`: label the rows of a table by a saved classifier."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from finetune_alf.cli.output import is_quiet, quiet_option, say_at_once
from finetune_alf.cli.project import root_option
from finetune_alf.errors import InputError

if TYPE_CHECKING:
    from finetune_alf.classifier.classifier import Classifier


@click.command(
    short_help="Label the rows of a table by a saved classifier.",
    epilog="Example: finetune-alf predict minilm reviews.csv --out labelled.csv",
)
@click.argument("model")
@click.argument("file")
@click.option("--text", multiple=True, help="The column of the text, `text` by default; twice for the two of a pair.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write CSV, TSV or JSON Lines to a file.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:N or mps.")
@quiet_option
@root_option
def predict(model: str, file: str, text: tuple[str, ...], out: Path | None, device: str, root: Path) -> None:
    """Write the rows of FILE with label, probability and probability.CLASS, by the classifier MODEL.

    MODEL is a study whose classifier `finetune-alf fit` has saved, or the folder of one. FILE is CSV, TSV, JSON Lines
    or Parquet, or - for CSV or JSON Lines on standard input. Its other columns are kept. Rows are read and written in
    chunks, so that a file of any length needs the same memory.
    """
    if len(text) > 2:
        raise InputError(f"--text: must be given once, or twice for pairs, but got {len(text)} columns.")
    say_at_once(f"Loading {model} ...")
    from finetune_alf.classifier.labelling import added_columns, labelled_rows
    from finetune_alf.data.readers.format import table_suffix
    from finetune_alf.data.readers.table import DELIMITERS
    from finetune_alf.data.table import open_table, writing

    text = text or ("text",)
    with _file(file) as path:
        table = open_table(path, text, "Name the column of the text by --text.")
        classifier = _loaded(model, root, device)
        added = added_columns(table.columns, classifier.label_names)
        usual = suffix if (suffix := table_suffix(path)) in DELIMITERS else ".jsonl"
        started, n_rows, n_empty = time.monotonic(), 0, 0
        with writing(out, (*table.columns, *added), usual) as write:
            for rows in labelled_rows(classifier, table, text):
                write(rows)
                n_rows += len(rows)
                n_empty += sum(row[-1] is None for row in rows)
    if not is_quiet():
        left = f", {n_empty:,} of them without text and left without label" if n_empty else ""
        click.echo(f"{n_rows:,} rows{left}, in {time.monotonic() - started:.1f} s; label in {added[0]!r}.", err=True)


def _loaded(model: str, root: Path, device: str) -> "Classifier":
    """Return the classifier of a folder, or of a study."""
    from finetune_alf.classifier.folder import load_classifier
    from finetune_alf.compute.resolved import resolve_device
    from finetune_alf.paths import NAME_PATTERN, Paths

    folder, paths = Path(model), Paths(root)
    if not folder.is_dir():
        is_name = re.match(NAME_PATTERN, model) is not None
        if not is_name or not paths.model(model).is_dir():
            way_out = f"Run `{paths.command('fit', model)}` first, or name" if is_name else "Name"
            raise InputError(f"{model}: there is no such folder of a classifier. {way_out} a folder that `fit` wrote.")
        folder = paths.model(model)
    return load_classifier(folder, str(resolve_device(device)))


@contextmanager
def _file(file: str) -> Iterator[Path]:
    """Yield the path of a table; standard input is kept in a file, as its delimiter is not known beforehand."""
    if file != "-":
        yield Path(file)
        return
    with TemporaryDirectory() as folder:
        stdin = sys.stdin.buffer
        start = stdin.read(1 << 16)
        path = Path(folder) / ("stdin.jsonl" if start.lstrip().startswith(b"{") else "stdin.csv")
        with path.open("wb") as kept:
            kept.write(start)
            shutil.copyfileobj(stdin, kept)
        yield path
