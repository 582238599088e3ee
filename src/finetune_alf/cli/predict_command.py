"""`finetune-alf predict`: label the rows of a table by a saved classifier."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from finetune_alf.cli.console import duration, rows_bar
from finetune_alf.cli.error_record import about
from finetune_alf.cli.output import echo_at_once, is_quiet, json_option, print_json, quiet_option, wants_json
from finetune_alf.cli.project import root_option
from finetune_alf.errors import InputError

if TYPE_CHECKING:
    from finetune_alf.classifier.labelling import LabelledChunk
    from finetune_alf.classifier.text_classifier import TextClassifier
    from finetune_alf.data.readers.stream import Source
    from finetune_alf.data.table import Table
    from finetune_alf.data.text_columns import TextColumns


def _checked(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        b"a\n".decode(value, errors="replace")
    except (LookupError, ValueError):
        raise click.BadParameter(f"{value!r} is no text encoding; utf-8, cp1252 and utf-16 are.") from None
    return value.lower()


@click.command(
    short_help="Label the rows of a table by a saved classifier.",
    epilog="Example: finetune-alf predict minilm reviews.csv --out labelled.csv",
)
@click.argument("model")
@click.argument("file")
@click.option(
    "--text",
    multiple=True,
    help="The column of the text, once for each where it has several; without it those that the classifier was "
    "trained on.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write CSV, TSV or JSON Lines to a file.")
@click.option("--encoding", default="utf-8", show_default=True, callback=_checked, help="How text in FILE is encoded.")
@click.option(
    "--quoting",
    type=click.Choice(["standard", "none"]),
    default="standard",
    show_default=True,
    help="none: quotes in FILE are part of the texts.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:N or mps.")
@json_option
@quiet_option
@root_option
def predict(
    model: str,
    file: str,
    text: tuple[str, ...],
    out: Path | None,
    encoding: str,
    quoting: Literal["standard", "none"],
    device: str,
    root: Path,
) -> None:
    """Write the rows of FILE with label, probability and probability.CLASS, by the classifier MODEL.

    MODEL is a study whose classifier `finetune-alf fit` has saved, STUDY.SCHEME for that of a scheme, or the folder of
    one. FILE is CSV, TSV, JSON Lines or Parquet, or - for CSV or JSON Lines on standard input. All of its columns are
    kept. Rows are read and written in chunks, so that a file of any length needs the same memory. --json needs --out,
    because the rows go to standard output without it.
    """
    if wants_json() and out is None:
        raise click.UsageError("--json needs --out: without it the rows go to standard output.")
    echo_at_once(f"predict: looking at {'standard input' if file == '-' else file}")
    from finetune_alf.classifier.record import read_record
    from finetune_alf.cli.classifier_folder import classifier_folder
    from finetune_alf.data.readers.format import FileFormat
    from finetune_alf.data.readers.table import DELIMITERS, check_suffix
    from finetune_alf.data.table import check_destination, open_table, writing
    from finetune_alf.data.text_columns import columns_of
    from finetune_alf.paths import Paths

    if out is not None:
        with about("--out"):
            check_destination(out, None if file == "-" else Path(file))
    source = _source(file, encoding)
    with about("model"):
        folder = classifier_folder(model, Paths(root), ("predict", "{}", file))
    form = FileFormat(encoding=encoding, quoting=quoting)
    own = _text_columns(text, read_record(folder).text)
    table = open_table(source, columns_of(own), "Name the column of the text by --text.", form)
    echo_at_once(f"predict: loading PyTorch, transformers and the classifier {folder}")
    from finetune_alf.classifier.labelling import added_columns, labelled_chunks  # after what can be refused without it

    classifier = _loaded(folder, device)
    columns = (*table.columns, *added_columns(table.columns, classifier.label_names))
    usual = suffix if (suffix := check_suffix(table.source)) in DELIMITERS else ".jsonl"
    summary = _Summary(columns[len(table.columns)], classifier.max_tokens)
    with writing(out, columns, usual) as write, _progress(table, out) as show:
        for chunk in labelled_chunks(classifier, table, own, show):
            write(chunk.rows)
            summary.add(chunk)
    if not is_quiet():
        click.echo(str(summary), err=True)
    if wants_json():
        print_json({"path": str(out), "columns": list(columns), **summary.as_json()})


@dataclass
class _Summary:
    """Counts of all rows, for the lines at the end."""

    column: str
    max_tokens: int | None
    started: float = field(default_factory=time.monotonic)
    n_rows: int = 0
    n_empty: int = 0
    n_full: int = 0

    def add(self, chunk: "LabelledChunk") -> None:
        self.n_rows += len(chunk.rows)
        self.n_empty += chunk.n_empty
        self.n_full += chunk.n_full

    def as_json(self) -> dict[str, object]:
        """Return the counts: rows, those without text, and those of whose text no more than max_tokens is read."""
        counts = {"rows": self.n_rows, "without_text": self.n_empty, "full": self.n_full}
        return {"label": self.column, **counts, "max_tokens": self.max_tokens}

    def __str__(self) -> str:
        from finetune_alf.report.numbers import counted

        seconds = duration(time.monotonic() - self.started)
        empty = f", {self.n_empty:,} of them without text and left without label" if self.n_empty else ""
        rows = f"{counted(self.n_rows, 'row')}{empty}"
        lines = [f"{rows}, labelled in {seconds} once the classifier was loaded; label in {self.column!r}."]
        if self.n_full:
            have = "text has" if self.n_full == 1 else "texts have"
            lines.append(f"{self.n_full:,} {have} {self.max_tokens} tokens or more; no more than those are read.")
        return "\n".join(lines)


def _progress(table: "Table", out: Path | None) -> AbstractContextManager[Callable[[int, int], None]]:
    """Return a bar, unless the rows themselves go to the terminal."""
    if is_quiet() or (out is None and sys.stdout.isatty()):
        return nullcontext(lambda position, n_rows: None)
    return rows_bar("predict", table.total)


def _source(file: str, encoding: str) -> "Source":
    """Return what is read; a file of another encoding is an error before any row is labelled."""
    from finetune_alf.data.readers.lines import find_encoding, line_not_utf_8
    from finetune_alf.data.readers.stream import standard_input
    from finetune_alf.data.readers.table import check_is_file, check_suffix

    if file == "-":
        return standard_input(sys.stdin.buffer)
    path = Path(file)
    with about("file"):
        suffix = check_suffix(path)
        check_is_file(path)
    if encoding == "utf-8" and suffix != ".parquet" and (found := find_encoding(path)) != encoding:
        cannot = f"cannot read {path} as UTF-8:"
        if (line := line_not_utf_8(path)) is not None:
            raise InputError(f"{cannot} line {line} is not, though most others are. Correct it.", option="file")
        raise InputError(f"{cannot} it looks like {found}. Give --encoding {found}.", option="--encoding")
    return path


def _text_columns(given: tuple[str, ...], trained_on: "TextColumns | None") -> "TextColumns":
    """Return the columns of the text: those that the classifier was trained on, or other names for them."""
    from finetune_alf.data.text_columns import JoinedText, columns_of

    if not given:
        return trained_on or "text"
    if isinstance(trained_on, JoinedText):
        return given[0] if len(given) == 1 else JoinedText(join=given, by=trained_on.by)
    allowed = (1, 2) if trained_on is None else (len(columns_of(trained_on)),)
    if len(given) not in allowed:
        times = " or ".join(("once", "twice for the texts of a pair")[n - 1] for n in allowed)
        raise InputError(f"--text: must be given {times}, but got {len(given)} columns.", option="--text")
    return given[0] if len(given) == 1 else (given[0], given[1])


def _loaded(folder: Path, device: str) -> "TextClassifier":
    from finetune_alf.classifier.folder import load_classifier
    from finetune_alf.compute.resolved import resolve_device

    with about("--device"):
        found = str(resolve_device(device, "--device"))
    return load_classifier(folder, found)
