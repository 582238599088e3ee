"""All stages in order, in a folder of their own, without git or DVC."""

from finetune_alf.experiments.adapt.stage import adapt
from finetune_alf.experiments.freeze.stage import freeze
from finetune_alf.experiments.multitask.stage import multitask
from finetune_alf.experiments.schemes.stage import schemes
from finetune_alf.experiments.transfer.stage import transfer
from finetune_alf.running.context import Context
from finetune_alf.running.importance import importance
from finetune_alf.running.prepare import prepare
from finetune_alf.running.register import register
from finetune_alf.running.report import report
from finetune_alf.running.study import study


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
