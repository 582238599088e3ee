"""The stages that every study needs, by name: each takes its lock before torch and MLflow are loaded."""

from importlib import import_module
from typing import Any

from finetune_alf.running.context import Context


def run_stage(ctx: Context, stage: str, *names: str, **options: Any) -> None:
    """Take the lock of a stage, then load and run it: the function of this name in the module of this name.

    Raises LockedError, within a second or two and with nothing done, while another process runs the same stage.
    """
    with ctx.lock("-".join((stage, *names))):
        run = getattr(import_module(f"finetune_alf.running.{stage}"), stage)
        run(ctx, *names, **options)
