"""A group whose commands end with one message and an exit code, not with a traceback."""

import os
import shlex
import sys
import traceback
from typing import Any

import click

from finetune_alf.cli.stops import Stopped, listening
from finetune_alf.errors import AlfError, StorageError
from finetune_alf.files import os_error_message

_BROKEN_PIPE = 141  # 128 + SIGPIPE, as `head` and its like leave it


class GuardedGroup(click.Group):
    """Turns what commands raise into exit codes: those of errors.py, 128 + n for signal n, 4 for the system's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List commands in the order of the work, not of the alphabet."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words of the command line, to say how to go on."""
        ctx.meta["words"] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and end as it ends."""
        try:
            with listening():
                return super().invoke(ctx)
        except AlfError as error:
            _tell(ctx, str(error))
            ctx.exit(error.exit_code)
        except KeyboardInterrupt as stop:
            name, code = (stop.name, stop.exit_code) if isinstance(stop, Stopped) else ("SIGINT", 130)
            _tell(ctx, f"Stopped by {name}. To go on: {shlex.join(['finetune-alf', *ctx.meta['words']])}")
            ctx.exit(code)
        except BrokenPipeError:
            # Nobody reads any more: what is still buffered goes nowhere, quietly.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_BROKEN_PIPE)
        except OSError as error:
            _tell(ctx, os_error_message(error))
            ctx.exit(StorageError.exit_code)


def _tell(ctx: click.Context, message: str) -> None:
    if ctx.params.get("debug"):
        traceback.print_exc()
    click.echo(message, err=True)
