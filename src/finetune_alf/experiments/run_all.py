"""All stages in order, in a folder of their own, without git or DVC."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from finetune_alf.experiments.experiment import Experiment
from finetune_alf.running.context import Context
from finetune_alf.running.importance import importance
from finetune_alf.running.prepare import prepare_all
from finetune_alf.running.register import register
from finetune_alf.running.report import report
from finetune_alf.running.study import study

if TYPE_CHECKING:
    from finetune_alf.params import Params


def run_all(ctx: Context, experiments: Sequence[Experiment]) -> None:
    """Run every stage for all that params.yaml names, and draw the samples that they read.

    What an interrupted run has finished is not done again.
    """
    names = samples_read(ctx.params, experiments)
    if unread := [name for name in ctx.params.samples if name not in names]:
        ctx.console.log(f"Not prepared, because no study and no experiment reads it: {', '.join(unread)}.")
    prepare_all(ctx, names)
    _run(ctx, [experiment for experiment in experiments if experiment.before_studies])
    for name in ctx.params.studies:
        study(ctx, name)
        importance(ctx, name)
        register(ctx, name)
    _run(ctx, [experiment for experiment in experiments if not experiment.before_studies])
    report(ctx, [experiment.part for experiment in experiments])


def samples_read(params: "Params", experiments: Sequence[Experiment]) -> list[str]:
    """Return the names of the samples that studies and experiments read, in the order of params.yaml."""
    read = {spec.sample for spec in params.studies.values()}
    for experiment in experiments:
        for arguments in product(*experiment.choices(params)):
            read.update(experiment.samples(params, *arguments))
    return [name for name in params.samples if name in read]


def _run(ctx: Context, experiments: Sequence[Experiment]) -> None:
    for experiment in experiments:
        for arguments in product(*experiment.choices(ctx.params)):
            experiment.run(ctx, *arguments)
