"""The stages that every study needs, by name: each takes its lock before torch and MLflow are loaded."""

from importlib import import_module
from typing import Any

from finetune_alf.running.context import Context
from finetune_alf.running.opening import opening_line


def run_stage(ctx: Context, stage: str, *names: str, **options: Any) -> None:
    """Take the lock of a stage, then load and run it: the function of this name in the module of this name.

    A stage that takes long says first what it does.

    Raises LockedError, within a second or two and with nothing done, while another process runs the same stage.
    """
    with ctx.lock("-".join((stage, *names))):
        if line := opening_line(ctx, stage, *names):
            ctx.console.log(line)
        if stage == "study":
            ctx.console.doing(f"study {names[0]}: loading PyTorch, MLflow and the encoder")
        run = getattr(import_module(f"finetune_alf.running.{stage}"), stage)
        run(ctx, *names, **options)
