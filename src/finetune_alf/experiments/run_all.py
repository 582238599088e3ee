"""All stages in order, in a folder of their own, without git or DVC."""

from collections.abc import Sequence
from itertools import product

from finetune_alf.experiments.experiment import Experiment
from finetune_alf.running.context import Context
from finetune_alf.running.importance import importance
from finetune_alf.running.prepare import prepare_all
from finetune_alf.running.register import register
from finetune_alf.running.report import report
from finetune_alf.running.study import study


def run_all(ctx: Context, experiments: Sequence[Experiment]) -> None:
    """Run every stage for all that params.yaml names. What an interrupted run has finished is not done again."""
    prepare_all(ctx, list(ctx.params.samples))
    _run(ctx, [experiment for experiment in experiments if experiment.before_studies])
    for name in ctx.params.studies:
        study(ctx, name)
        importance(ctx, name)
        register(ctx, name)
    _run(ctx, [experiment for experiment in experiments if not experiment.before_studies])
    report(ctx, [experiment.part for experiment in experiments])


def _run(ctx: Context, experiments: Sequence[Experiment]) -> None:
    for experiment in experiments:
        for arguments in product(*experiment.choices(ctx.params)):
            experiment.run(ctx, *arguments)
