"""A group whose commands end with one message and an exit code, not with a traceback."""

import os
import shlex
import sys
import traceback
from typing import Any

import click

from finetune_alf.cli.extras import missing_extra
from finetune_alf.cli.output import print_json_error
from finetune_alf.cli.stops import Stopped, listening
from finetune_alf.cli.wrapping import for_stream
from finetune_alf.errors import AlfError, StorageError, WorkerError

_START_OVER = ("init", "plan", "predict", "errors")
"""Commands that keep nothing of what was stopped."""

_BROKEN_PIPE = 141  # 128 + SIGPIPE, as `head` and its like leave it


class GuardedGroup(click.Group):
    """Turns what commands raise into exit codes: those of errors.py, 128 + n for signal n, 4 for the system's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List commands in the order of the work, not of the alphabet."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words of the command line, for the message that says how to resume."""
        ctx.meta["words"] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and end as it ends."""
        try:
            with listening():
                return super().invoke(ctx)
        except AlfError as error:
            resume = f" To resume: {_command(ctx)}" if isinstance(error, WorkerError) else ""
            _print_error(ctx, error, f"{error}{resume}", error.exit_code)
            ctx.exit(error.exit_code)
        except click.ClickException as error:
            print_json_error(ctx, error, error.format_message(), error.exit_code)
            raise _wrapped(error) from None
        except ModuleNotFoundError as error:
            missing = missing_extra(error)
            if missing is None:
                print_json_error(ctx, error, str(error), 1)
                raise
            _print_error(ctx, missing, str(missing), missing.exit_code)
            ctx.exit(missing.exit_code)
        except KeyboardInterrupt as stop:
            name, code = (stop.name, stop.exit_code) if isinstance(stop, Stopped) else ("SIGINT", 130)
            goal = "start over" if ctx.invoked_subcommand in _START_OVER else "resume"
            by = "Ctrl-C" if name == "SIGINT" else f"the signal {name}"
            _print_error(ctx, stop, f"Stopped by {by}. Run the same command again to {goal}: {_command(ctx)}", code)
            ctx.exit(code)
        except BrokenPipeError:
            # The reader is gone: drop what is still buffered.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_BROKEN_PIPE)
        except OSError as error:
            from finetune_alf.os_errors import os_error_message

            _print_error(ctx, error, os_error_message(error), StorageError.exit_code)
            ctx.exit(StorageError.exit_code)
        except click.exceptions.Exit:
            raise
        except Exception as error:  # a fault of the program: its traceback follows
            print_json_error(ctx, error, str(error), 1)
            raise


def _command(ctx: click.Context) -> str:
    return shlex.join(["finetune-alf", *ctx.meta["words"]])


def _print_error(ctx: click.Context, error: BaseException, message: str, exit_code: int) -> None:
    if ctx.params.get("debug"):
        traceback.print_exc()
    print_json_error(ctx, error, message, exit_code)
    click.echo(for_stream(message, sys.stderr), err=True)


def _wrapped(error: click.ClickException) -> click.ClickException:
    """Return an error of usage with its message as a terminal shows it best; others, and a help page, as they are."""
    if not isinstance(error, click.UsageError) or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    label = "Error: "  # click prints it before the message
    message = for_stream(f"{label}{error.format_message()}", sys.stderr).removeprefix(label)
    return click.UsageError(message, error.ctx)
