"""What commands print, and where: plain lines, nothing with --quiet, one JSON document with --json."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune_alf.cli.console import TerminalConsole, echo_on_terminal
from finetune_alf.cli.error_record import error_record
from finetune_alf.cli.wrapping import for_stream

if TYPE_CHECKING:
    from finetune_alf.running.context import Console

_QUIET, _JSON, _PRINTED = f"{__name__}.quiet", f"{__name__}.json", f"{__name__}.printed"


def _note(key: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def noted(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
        ctx.meta[key] = ctx.meta.get(key, False) or value
        return value

    return noted


quiet_option: Callable[[Any], Any] = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_note(_QUIET), help="Print errors alone."
)

json_option: Callable[[Any], Any] = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_note(_JSON),
    help="Print one JSON document on standard output, also on failure; what is logged goes to standard error.",
)


def wants_json() -> bool:
    """Return whether the command is to print a JSON document."""
    return bool(click.get_current_context().meta.get(_JSON))


def is_quiet() -> bool:
    """Return whether the command is to print errors alone."""
    return bool(click.get_current_context().meta.get(_QUIET))


def echo(text: str) -> None:
    """Print a line for people: on standard error beside a JSON document, nowhere if quiet."""
    if not is_quiet():
        stream = sys.stderr if wants_json() else sys.stdout
        click.echo(for_stream(text, stream), file=stream)


def echo_at_once(text: str) -> None:
    """Print a line on a terminal before anything slow is loaded; a log does without it, and so does --json."""
    if not is_quiet() and not wants_json():
        echo_on_terminal(text)


def print_json(record: object) -> None:
    """Print the document of a command with --json."""
    click.get_current_context().meta[_PRINTED] = True
    click.echo(json.dumps(record, indent=1, ensure_ascii=False))


def print_json_text(text: str) -> None:
    """Print a document that is text already, with --json."""
    click.get_current_context().meta[_PRINTED] = True
    click.echo(text.rstrip("\n"))


def print_documents(paths: Iterable[Path]) -> None:
    """Print the documents that a command's stages have written, with --json; `prepare` and others have one each."""
    if wants_json():
        from finetune_alf.json_files import read_json

        print_json([{"path": str(path), "document": read_json(path)} for path in paths])


def print_json_error(ctx: click.Context, error: BaseException, message: str, exit_code: int) -> None:
    """Print the document of a command that failed, unless it has printed its own, or none is wanted."""
    if "--json" in ctx.meta["words"] and not ctx.meta.get(_PRINTED):
        record = error_record(error, message, exit_code)
        click.echo(json.dumps({"error": record}, indent=1, ensure_ascii=False))


def console() -> "Console":
    """Return the console for a command's stages."""
    if is_quiet():
        from finetune_alf.running.context import SilentConsole

        return SilentConsole()
    return TerminalConsole(sys.stderr if wants_json() else None)
