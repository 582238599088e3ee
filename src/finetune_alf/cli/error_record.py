"""An error as a JSON document has it: what kind, its exit code, and the file, field or option that it is about."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from finetune_alf.errors import AlfError, InputError


@contextmanager
def about(option: str | None, kind: type[AlfError] = AlfError) -> Iterator[None]:
    """Name the option or argument, as `--out` or `name`, that an error of this kind in the block is about, if any."""
    try:
        yield
    except kind as error:
        error.option = error.option or option
        raise


def error_record(error: BaseException, message: str, exit_code: int) -> dict[str, Any]:
    """Return the record of an error that ends a command with this message and exit code.

    `faults` are those of params.yaml and of tables, each with its message and, as far as they are known, file, line,
    column, row and field; `file` is that of an error of the system, `option` the option or argument that cannot be
    used.
    """
    kind = "UsageError" if isinstance(error, click.ClickException) else type(error).__name__
    return {"kind": kind, "message": message, "exit_code": exit_code, **_where(error)}


def _where(error: BaseException) -> dict[str, Any]:
    if isinstance(error, AlfError):
        faults = [dict(fault) for fault in error.faults] if isinstance(error, InputError) else []
        found = {"faults": faults, "option": error.option}
        return {name: value for name, value in found.items() if value}
    if isinstance(error, OSError) and error.filename is not None:
        return {"file": str(error.filename)}
    if isinstance(error, click.NoSuchOption):
        return {"option": error.option_name}
    if isinstance(error, click.BadParameter) and (name := error.param_hint or _name(error.param)):
        return {"option": name}
    return {}


def _name(parameter: click.Parameter | None) -> str | None:
    return None if parameter is None else parameter.opts[-1]
