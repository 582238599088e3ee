"""The page of the commands, from what click knows of each: usage, help, options, example."""

import inspect
import re
from collections.abc import Iterator

import click

from finetune_alf.cli.entry import group

PROGRAM = "finetune-alf"

_INTRODUCTION = """# Commands

What `finetune-alf --help` and the `--help` of each command print. Options of `finetune-alf` itself, such as
`--verbose`, stand before the name of the command.
"""


def commands_page() -> str:
    """Return the Markdown of the page."""
    return "\n".join([_INTRODUCTION, *_command(group, PROGRAM, None)])


def _command(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    """Yield the lines about a command, then about the commands below it."""
    context = click.Context(command, info_name=path.rpartition(" ")[2], parent=parent, **command.context_settings)
    yield f"{'###' if path.count(' ') > 1 else '##'} {path} {{#{path.replace(' ', '-')}}}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield f"{_text(command.help)}\n"
    yield from _options(command, context)
    if command.epilog:
        yield f"{_epilog(command.epilog)}\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) is not None:
                yield from _command(inner, f"{path} {name}", context)


def _text(given: str | None) -> str:
    """Return a help text as Markdown; a paragraph whose lines stay as they are, after a backspace, becomes code."""
    paragraphs = inspect.cleandoc(given or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{paragraph.removeprefix(chr(8)).strip()}\n```" if paragraph.startswith("\b") else _escaped(paragraph)
        for paragraph in paragraphs
    )


def _epilog(given: str) -> str:
    text = " ".join(given.split())
    what, _, example = text.partition("Example: ")
    return f"{_escaped(what)}\nExample:\n\n```sh\n{example}\n```" if example else _escaped(text)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = [each for each in command.get_params(context) if isinstance(each, click.Option) and not each.hidden]
    yield '<div class="keys" markdown>\n\n| option | what it does |\n|---|---|'
    for option in options:
        if (record := option.get_help_record(context)) is not None:
            names, what = record
            yield f"| `{names}` | {_escaped(' '.join(what.split()))} |"
    yield "\n</div>\n"


def _escaped(text: str) -> str:
    """Return plain text that Markdown shows as it is, but for what stands between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\<>*_|\[\]])", r"\\\1", part) for part in parts)
