"""All stages in order, in a folder of their own, without git or DVC."""

from finetune_alf.stages.adapt import adapt
from finetune_alf.stages.context import Context
from finetune_alf.stages.freeze import freeze
from finetune_alf.stages.importance import importance
from finetune_alf.stages.multitask import multitask
from finetune_alf.stages.prepare import prepare
from finetune_alf.stages.register import register
from finetune_alf.stages.report import report
from finetune_alf.stages.schemes import schemes
from finetune_alf.stages.study import study
from finetune_alf.stages.transfer import transfer


def run_all(ctx: Context) -> None:
    """Run every stage for all that params.yaml names. What an interrupted run has finished is not done again."""
    for sample in ctx.params.samples:
        prepare(ctx, sample)
    for name in ctx.params.adapt:  # before all that may fine-tune an adapted encoder
        adapt(ctx, name)
    for name in ctx.params.studies:
        study(ctx, name)
        importance(ctx, name)
        register(ctx, name)
    for name in ctx.params.transfer.studies:
        for sample in ctx.params.transfer.samples:
            transfer(ctx, name, sample)
    for name in ctx.params.freeze:
        freeze(ctx, name)
    for name in ctx.params.schemes:
        schemes(ctx, name)
    for name in ctx.params.multitask:
        multitask(ctx, name)
    report(ctx)
